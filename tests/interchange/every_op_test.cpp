// Every typed function of belfry/ops, by the table of its calls, through each format.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "belfry/base/error.h"
#include "belfry/interchange/graph_file.h"
#include "belfry/interchange/onnx.h"
#include "belfry/interchange/saved_model.h"
#include "belfry/predict/graph_predictor.h"
#include "tests/support/close.h"
#include "tests/support/export_cases.h"
#include "tests/support/op_cases.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

/// Functions that no format can hold, and what the exporters say of them.
const std::map<std::string, std::string> kNoInference = {{"dropout", "draws random numbers"},
                                                         {"random_uniform", "draws random numbers"},
                                                         {"random_normal", "draws random numbers"},
                                                         {"truncated_normal", "draws random numbers"},
                                                         {"random_bernoulli", "draws random numbers"},
                                                         {"random_uniform_like", "draws random numbers"},
                                                         {"random_normal_like", "draws random numbers"},
                                                         {"random_shuffle", "draws random numbers"},
                                                         {"random_categorical", "draws random numbers"}};

/// Functions that a format has no counterpart for.
const std::set<std::string> kNotInOnnx = {
    "ctc_loss",        "ctc_greedy_decoder", "ctc_beam_search_decoder",     "edit_distance",
    "crop_and_resize", "roi_align",          "combined_non_max_suppression"};
const std::set<std::string> kNotInTensorFlow = {"ctc_loss", "ctc_greedy_decoder", "ctc_beam_search_decoder",
                                                "edit_distance"};

/// A case of the table as a graph of float32, which all runtimes have kernels for, and its values.
struct CaseInFloat : test::BuiltCase {
  explicit CaseInFloat(size_t index) : BuiltCase(export_case(index)) {
    const auto& specs = test::op_cases()[index].inputs;
    for (size_t i = 0; i < specs.size(); ++i) {
      const at::Tensor value = specs[i].value(static_cast<int>(i));
      values.push_back(value.is_floating_point() ? value.to(kFloat32) : value);
    }
  }
  static test::ExportCase export_case(size_t index) {
    const test::OpCase& op = test::op_cases()[index];
    test::ExportCase result{test::case_name(index), {}, op.build};
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const DType dtype = op.inputs[i].dtype();
      result.inputs.push_back(
          {fmt::format("in{}", i), op.inputs[i].declared(), dtype == kFloat64 ? kFloat32 : dtype});
    }
    return result;
  }

  std::vector<at::Tensor> values;
};

class EveryOpTest : public testing::Test {
 protected:
  /// Calls `write` with each case and its path, and saves what its file is to be run on.
  template <typename Write>
  void export_all(Write write, const std::string& results, const std::set<std::string>& missing) {
    for (size_t index = 0; index < test::op_cases().size(); ++index) {
      SCOPED_TRACE(test::case_name(index));
      CaseInFloat built(index);
      const std::string path = folder_ / test::case_name(index);
      if (!exported([&] { write(built, path); }, test::op_cases()[index].function, missing)) continue;
      save_inputs(path + ".0.in.npz", built);
      expected_[path + results] = built.run(built.values);
    }
  }
  void expect_all() const {
    for (const auto& [path, values] : expected_) test::expect_results(path, values);
  }

  static void save_inputs(const std::string& path, const CaseInFloat& built) {
    if (!built.values.empty()) return built.save_inputs(path, built.values);
    std::ofstream(path, std::ios::binary) << "PK\5\6" << std::string(18, '\0');  // an archive of nothing
  }

  template <typename Write>
  static bool exported(Write write, const std::string& function, const std::set<std::string>& missing) {
    const auto found = kNoInference.find(function);
    std::string excuse = missing.contains(function) ? "a counterpart for" : "";
    if (found != kNoInference.end()) excuse = found->second;
    try {
      write();
      EXPECT_EQ(excuse, "") << "can be exported after all";
      return true;
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_TRUE(!excuse.empty() && message.find(excuse) != std::string::npos)
          << "has no export: " << message;
      return false;
    }
  }

  const test::TempDir folder_;
  std::map<std::string, std::vector<at::Tensor>> expected_;
};

TEST_F(EveryOpTest, OnnxRuntimeComputesTheSame) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  export_all(
      [](CaseInFloat& built, const std::string& path) {
        export_onnx(built.session, built.inputs, built.outputs, path + ".onnx");
      },
      ".0.out.npz", kNotInOnnx);
  EXPECT_EQ(test::run_python("tests/interchange/run_onnx.py", {folder_.path()}), "");
  expect_all();
}

TEST_F(EveryOpTest, TensorFlowComputesTheSame) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  export_all(
      [](CaseInFloat& built, const std::string& path) {
        export_frozen_graph(built.session, built.inputs, built.outputs, path + ".pb");
        built.save_output_names(path + ".outputs");
      },
      ".0.frozen.npz", kNotInTensorFlow);
  EXPECT_EQ(test::run_python("tests/interchange/run_tensorflow.py", {folder_.path()}), "");
  expect_all();
}

/// What a model that was read again computes.
std::vector<at::Tensor> run_imported(const std::string& path, const std::vector<at::Tensor>& values) {
  Graph graph;
  GraphScope as_default(graph);
  const Function imported = import_onnx(path);
  Session session(graph);
  return session.make_callable({imported.inputs.begin(), imported.inputs.end()},
                               {imported.outputs.begin(), imported.outputs.end()})(values);
}

/// `run` writes a case to a path and gives what is computed when it is read again.
template <typename Run>
void expect_the_same(Run run, const test::TempDir& folder, const std::set<std::string>& missing = {}) {
  for (size_t index = 0; index < test::op_cases().size(); ++index) {
    const test::OpCase& op = test::op_cases()[index];
    const std::string path = folder / test::case_name(index);
    SCOPED_TRACE(path);
    if (kNoInference.contains(op.function) || missing.contains(op.function)) continue;
    CaseInFloat built(index);
    std::vector<at::Tensor> results;
    EXPECT_NO_THROW(results = run(built, path));
    const auto expected = built.run(built.values);
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i].scalar_type(), expected[i].scalar_type());
      EXPECT_TRUE(test::close(results[i].to(at::kDouble), expected[i].to(at::kDouble),
                              {.relative = 1e-4, .absolute = 1e-5}))
          << "output " << i;
    }
  }
}

TEST_F(EveryOpTest, AnOnnxModelComesBackAsAGraphThatComputesTheSame) {
  const auto run = [](CaseInFloat& built, const std::string& path) {
    export_onnx(built.session, built.inputs, built.outputs, path);
    return run_imported(path, built.values);
  };
  expect_the_same(run, folder_, kNotInOnnx);
}

TEST_F(EveryOpTest, ALoadedGraphFileComputesTheSame) {
  const auto run = [](CaseInFloat& built, const std::string& path) {
    save_inference_graph(built.session, built.inputs, built.outputs, path + ".safetensors");
    return load_inference_graph(path + ".safetensors")(built.values);
  };
  expect_the_same(run, folder_);
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Layers are exported by the tests of each format, as parts of their cases.
TEST(EveryLayerTest, IsInACaseThatIsExported) {
  static const std::regex declaration(R"(inline constexpr (?:Unnamed)?Layer<\w+> (\w+)\{)");
  const std::string cases = content("tests/support/export_cases.cpp");
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("belfry/layers")) {
    if (entry.path().extension() != ".h") continue;
    const std::string header = content(entry.path());
    for (std::sregex_iterator it(header.begin(), header.end(), declaration), end; it != end; ++it, ++count)
      EXPECT_NE(cases.find((*it)[1].str() + "("), std::string::npos) << (*it)[1];
  }
  EXPECT_GE(count, 13u);
}

}  // namespace
}  // namespace belfry
