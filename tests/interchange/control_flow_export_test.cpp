// Branches and loops in other runtimes, in compiled predictions, and in graph files, which hold none.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/interchange/graph_file.h"
#include "belfry/interchange/onnx.h"
#include "belfry/interchange/saved_model.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "tests/support/close.h"
#include "tests/support/export_cases.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using test::BuiltCase;
using test::ExportCase;
using test::Tensors;
using testing::HasSubstr;

const TensorSpec kX{"x", {kDynamic, 3}};

std::vector<ExportCase> cases() {
  return {
      {"branches",
       {kX},
       [](const Tensors& t) -> Tensors {
         const Tensor x = t[0];
         const Tensor y = cond(
             sum(x) > 0, [&] { return FullyConnected("fc", x, {.units = 2}); },
             [&] {
               return slice(x, {0, 0}, {-1, 2}) * 3;
             });
         const auto two = cond(
             sum(x) < 100,
             [&] {
               return Tensors{x, constant(2.5)};
             },
             [&] {
               return Tensors{zeros_like(x), constant(1.5)};
             });
         return {y, two[0], two[1]};
       }},
      {"loops",
       {kX},
       [](const Tensors& t) -> Tensors {
         const Tensor base = abs(t[0]) + 1;
         const auto doubled = while_loop([](const Tensors& v) { return max(v[0]) < 20; },
                                         [&](const Tensors& v) {
                                           return Tensors{v[0] + base, v[1] + 1};
                                         },
                                         {base, constant(0)});
         const auto limited = while_loop([](const Tensors& v) { return max(v[0]) < 1e6; },
                                         [](const Tensors& v) { return Tensors{v[0] * 2 + ones({3})}; },
                                         {base}, {.maximum_iterations = 3});
         const auto none = while_loop([](const Tensors& v) { return max(v[0]) < 0; },
                                      [](const Tensors& v) { return Tensors{v[0] * 2}; }, {base});
         return {doubled[0], doubled[1], limited[0], none[0]};
       }},
      {"growing",
       {kX},
       [](const Tensors& t) -> Tensors {
         return {while_loop([](const Tensors& v) { return select(shape(v[0]), 0) < 20; },
                            [](const Tensors& v) {
                              return Tensors{concat({v[0], v[0] * 0.5}, 0)};
                            },
                            {t[0]}, {.shape_invariants = {{kDynamic, 3}}})[0]};
       }},
      {"maps",
       {kX},
       [](const Tensors& t) -> Tensors {
         const Variable w = get_variable("w", {3, 3});
         const Tensor rows =
             map_fn([&](const Tensor& row) { return tanh(matmul(expand_dims(row, 0), w)); }, t[0]);
         const auto both = map_fn(
             [](const Tensors& e) {
               return Tensors{sum(e[0]), e[0] * e[1]};
             },
             {t[0], t[0] + 1});
         return {rows, both[0], both[1]};
       }},
      {"scans",
       {kX},
       [](const Tensors& t) -> Tensors {
         const Variable r = get_variable("r", {3, 3});
         const auto step = [&](const Tensor& h, const Tensor& e) {
           return tanh(reshape(matmul(expand_dims(h, 0), r), {3}) + e);
         };
         return {scan(step, t[0], zeros({3})), scan(step, t[0], zeros({3}), {.reverse = true}),
                 scan([](const Tensor& a, const Tensor& e) { return a + e; }, t[0])};
       }},
      {"nested",
       {kX},
       [](const Tensors& t) -> Tensors {
         const Tensor scale = mean(t[0]);
         return {map_fn(
             [&](const Tensor& x) {
               const Tensor row = custom_gradient(x * 2, x, [](const Tensor& dy) { return dy; });
               return cond(
                   select(row, 0) > 0,
                   [&] {
                     return while_loop([](const Tensors& v) { return max(abs(v[0])) < 10; },
                                       [](const Tensors& v) { return Tensors{v[0] * 1.5 + 0.1}; }, {row})[0];
                   },
                   [&] { return row * scale; });
             },
             t[0])};
       }},
  };
}

class ControlFlowExport : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  }

  /// Saves inputs of two batch sizes, and what results with these suffixes must be.
  void add_runs(const std::string& name, BuiltCase& built, const std::vector<std::string>& results) {
    for (int64_t batch : {4, 13}) {
      const auto values = built.random_inputs(batch);
      const std::string stem = folder_ / fmt::format("{}.{}", name, batch);
      built.save_inputs(stem + ".in.npz", values);
      for (const std::string& suffix : results) expected_[stem + suffix] = built.run(values);
    }
  }
  void expect_all(const std::string& script) const {
    EXPECT_EQ(test::run_python("tests/interchange/" + script, {folder_.path()}), "");
    for (const auto& [path, values] : expected_) test::expect_results(path, values);
  }

  const test::TempDir folder_;
  std::map<std::string, std::vector<at::Tensor>> expected_;
};

TEST_F(ControlFlowExport, OnnxRuntimeComputesTheSame) {
  for (const ExportCase& source : cases()) {
    SCOPED_TRACE(source.name);
    BuiltCase built(source);
    ASSERT_NO_THROW(
        export_onnx(built.session, built.inputs, built.outputs, folder_ / (source.name + ".onnx")));
    add_runs(source.name, built, {".out.npz"});
  }
  expect_all("run_onnx.py");
}

TEST_F(ControlFlowExport, TensorFlowComputesTheSame) {
  for (const ExportCase& source : cases()) {
    SCOPED_TRACE(source.name);
    BuiltCase built(source);
    const std::string path = folder_ / source.name;
    ASSERT_NO_THROW(export_frozen_graph(built.session, built.inputs, built.outputs, path + ".pb"));
    ASSERT_NO_THROW(export_saved_model(built.session, built.inputs, built.outputs, path));
    built.save_output_names(path + ".outputs");
    add_runs(source.name, built, {".frozen.npz", ".saved.npz"});
  }
  expect_all("run_tensorflow.py");
}

TEST(ControlFlowCompiled, ComputesWhatTheSessionComputes) {
  for (const ExportCase& source : cases()) {
    SCOPED_TRACE(source.name);
    BuiltCase built(source);
    CompiledCallable compiled = compile(built.session, built.inputs, built.outputs);
    for (int64_t batch : {4, 13}) {
      const auto values = built.random_inputs(batch);
      const auto expected = built.run(values), results = compiled(values);
      ASSERT_EQ(results.size(), expected.size());
      for (size_t i = 0; i < results.size(); ++i)
        EXPECT_TRUE(test::close(results[i].to(at::kDouble), expected[i].to(at::kDouble), test::kSameSums));
    }
    EXPECT_EQ(compiled.is_compiled(), source.name != "growing") << compiled.describe();
  }
}

TEST(ControlFlowInGraphFiles, IsRefusedByName) {
  const test::TempDir folder;
  BuiltCase built(cases()[0]);
  const std::string message = test::message_of<UsageError>([&] {
    save_inference_graph(built.session, built.inputs, built.outputs, folder / "graph.safetensors");
  });
  EXPECT_THAT(message, HasSubstr("then_branch"));
  EXPECT_THAT(message, HasSubstr("belfry::cond"));
}

}  // namespace
}  // namespace belfry
