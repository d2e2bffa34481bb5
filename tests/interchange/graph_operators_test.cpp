// The list of what a graph file may hold against what is written.

#include "belfry/interchange/internal/graph_operators.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/graph_file.h"
#include "belfry/interchange/onnx.h"
#include "belfry/ops/ops.h"
#include "belfry/predict/graph_predictor.h"
#include "tests/support/export_cases.h"
#include "tests/support/message_of.h"
#include "tests/support/op_cases.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using internal::graph_file_operators;
using internal::is_graph_file_operator;
using testing::HasSubstr;

/// All calls of typed functions, layers and the operators that exports are tested with.
std::vector<test::ExportCase> all_cases() {
  std::vector<test::ExportCase> cases = test::export_cases();
  for (size_t i = 0; i < test::op_cases().size(); ++i) {
    test::ExportCase one{test::case_name(i), {}, test::op_cases()[i].build};
    for (const test::OpInput& input : test::op_cases()[i].inputs)
      one.inputs.push_back({fmt::format("in{}", one.inputs.size()), input.declared(), input.dtype()});
    cases.push_back(std::move(one));
  }
  return cases;
}

void expect_all_listed(Session& session, const std::vector<Fetch>& inputs,
                       const std::vector<Fetch>& outputs) {
  try {
    const auto frozen = freeze_function("test", session, inputs, outputs);
    for (const Node* node : frozen.calls())
      EXPECT_TRUE(is_graph_file_operator(node->op_name())) << node->op_name();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("draws random numbers"));  // no inference graph
  }
}

TEST(GraphOperatorsTest, EachComputesTensorsFromTensors) {
  EXPECT_TRUE(std::ranges::is_sorted(graph_file_operators()));
  for (std::string_view name : graph_file_operators()) {
    const std::string full(name), base = full.substr(0, full.find('.'));
    const auto op =
        c10::Dispatcher::singleton().findSchema({base, base == full ? "" : full.substr(base.size() + 1)});
    ASSERT_TRUE(op) << name;
    EXPECT_FALSE(op->schema().is_mutable()) << name;
    EXPECT_FALSE(op->schema().returns().empty()) << name;
    for (const c10::Argument& argument : op->schema().arguments())
      EXPECT_EQ(argument.type()->str().find("Generator"), std::string::npos) << name;
  }
}

TEST(GraphOperatorsTest, HoldWhatTypedFunctionsAndLayersMake) {
  for (const test::ExportCase& one : all_cases()) {
    SCOPED_TRACE(one.name);
    test::BuiltCase built(one);
    expect_all_listed(built.session, built.inputs, built.outputs);
  }
}

TEST(GraphOperatorsTest, HoldWhatAnImportedModelIsMadeOf) {
  const test::TempDir folder;
  for (const test::ExportCase& one : all_cases()) {
    SCOPED_TRACE(one.name);
    test::BuiltCase built(one);
    try {
      export_onnx(built.session, built.inputs, built.outputs, folder / one.name);
    } catch (const UsageError&) {  // random numbers, or a dtype that ONNX has not
      continue;
    }
    Graph graph;
    GraphScope as_default(graph);
    const Function imported = import_onnx(folder / one.name);
    Session session(graph);
    expect_all_listed(session, {imported.inputs.begin(), imported.inputs.end()},
                      {imported.outputs.begin(), imported.outputs.end()});
  }
}

TEST(GraphOperatorsTest, AnOperatorThatIsNotListedIsReadWhereTheReaderNamesIt) {
  const test::TempDir folder;
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {4});
  const Tensor y = call("aten::roll", {x}, {{"shifts", {1}}});
  Session session(graph);
  save_inference_graph(session, {x}, {y}, folder / "graph");
  EXPECT_THAT(test::message_of<DataError>([&] { load_inference_graph(folder / "graph"); }),
              HasSubstr("expected operators that Belfry's functions make, got aten::roll"));
  const auto predict = load_inference_graph(folder / "graph", {.further_operators = {"aten::roll"}});
  EXPECT_EQ(predict(at::ones({4}))[0].numel(), 4);
}

}  // namespace
}  // namespace belfry
