// Models that Belfry did not write.

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/formats/npz.h"
#include "belfry/formats/onnx.h"
#include "belfry/interchange/onnx.h"
#include "tests/support/close.h"
#include "tests/support/export_cases.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::HasSubstr;

std::vector<at::Tensor> read_inputs(const std::string& path, const std::vector<std::string>& names) {
  NpzReader reader(path);
  std::vector<at::Tensor> values;
  for (const std::string& name : names) {
    for (const ArrayInfo& info : reader.entries()) {
      if (info.name != name) continue;
      at::Tensor value = at::empty(info.shape, to_dtype(info.dtype));
      reader.read(name, {static_cast<std::byte*>(value.data_ptr()), value.nbytes()});
      values.push_back(value);
    }
  }
  return values;
}

TEST(OnnxModelsTest, MeanWhatTheyMeanToOnnxRuntime) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const test::TempDir folder;
  ASSERT_EQ(test::run_python("tests/interchange/make_onnx_models.py", {folder.path()}), "");
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".onnx") continue;
    ++count;
    const std::string stem = entry.path().parent_path() / entry.path().stem();
    SCOPED_TRACE(entry.path().stem());
    Graph graph;
    GraphScope as_default(graph);
    try {
      const Function imported = import_onnx(entry.path());
      Session session(graph);
      const auto values = read_inputs(stem + ".in.npz", imported.input_names);
      const auto results = session.make_callable({imported.inputs.begin(), imported.inputs.end()},
                                                 {imported.outputs.begin(), imported.outputs.end()})(values);
      test::expect_results(stem + ".out.npz", results);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_GE(count, 500u);
}

/// One node of `op` with its inputs x, of float32 [2, 3, 4, 5], and w, int64 [2].
class WhatIsNotReadTest : public testing::Test {
 protected:
  std::string message(const OnnxNode& node, const std::vector<OnnxValue::Size>& of_x = {2, 3, 4, 5}) {
    OnnxModel model;
    model.nodes = {node};
    model.inputs = {{"x", DataType::kFloat32, of_x}, {"w", DataType::kInt64, {2}}};
    model.outputs = {{"y", DataType::kFloat32, {}}};
    const test::TempDir folder;
    write_file_atomically(FileSystem::posix(), folder / "model", as_byte_span(serialize_onnx(model)));
    Graph graph;
    GraphScope as_default(graph);
    try {
      import_onnx(folder / "model");
    } catch (const DataError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(WhatIsNotReadTest, IsAnErrorForEveryOperator) {
  const std::vector<std::pair<const char*, std::vector<std::string>>> nodes = {
      {"Relu", {"x"}},       {"Add", {"x", "x"}},    {"IsInf", {"x"}},       {"Softmax", {"x"}},
      {"ReduceMean", {"x"}}, {"ArgMax", {"x"}},      {"Transpose", {"x"}},   {"GlobalAveragePool", {"x"}},
      {"Identity", {"x"}},   {"Gather", {"x", "w"}}, {"Concat", {"x", "x"}}, {"Shape", {"x"}}};
  for (const auto& [op, inputs] : nodes) {
    EXPECT_THAT(message({op, "node", inputs, {"y"}, {{"flavour", int64_t{1}}}}),
                HasSubstr("has the attribute flavour, which Belfry does not know"))
        << op;
  }
}

TEST_F(WhatIsNotReadTest, IsAnErrorOfInputs) {
  EXPECT_THAT(message({"Relu", "node", {"x", "w"}, {"y"}, {}}),
              HasSubstr("[Relu node] has an input 1, 'w', which Belfry does not know"));
  EXPECT_EQ(message({"Relu", "node", {"x", ""}, {"y"}, {}}), "nothing was thrown");
}

TEST_F(WhatIsNotReadTest, ASqueezeOfUnknownSizesIsAnError) {
  EXPECT_THAT(message({"Squeeze", "node", {"x"}, {"y"}, {}}, {"n", 3, 1}),
              HasSubstr("sizes that only a run knows"));
  EXPECT_EQ(message({"Squeeze", "node", {"x"}, {"y"}, {}}, {1, 3, 1}), "nothing was thrown");
}

TEST_F(WhatIsNotReadTest, AnAttributeTwiceIsAnError) {
  EXPECT_THAT(message({"Softmax", "node", {"x"}, {"y"}, {{"axis", int64_t{1}}, {"axis", int64_t{2}}}}),
              HasSubstr("has the attribute axis twice"));
}

TEST_F(WhatIsNotReadTest, MayBeWhatMeansNothingInInference) {
  EXPECT_EQ(message({"MaxPool",
                     "node",
                     {"x"},
                     {"y"},
                     {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"storage_order", int64_t{1}}}}),
            "nothing was thrown");
}

TEST_F(WhatIsNotReadTest, AttributesThatContradictAreErrors) {
  EXPECT_THAT(message({"MaxPool",
                       "node",
                       {"x"},
                       {"y"},
                       {{"kernel_shape", std::vector<int64_t>{2, 2}},
                        {"auto_pad", "VALID"},
                        {"pads", std::vector<int64_t>{1, 1, 1, 1}}}}),
              HasSubstr("has pads of its own in the mode VALID"));
  EXPECT_THAT(message({"Constant", "node", {}, {"y"}, {{"value_string", "text"}}}),
              HasSubstr("expected a tensor or numbers as its value, got the attribute value_string"));
}

}  // namespace
}  // namespace belfry
