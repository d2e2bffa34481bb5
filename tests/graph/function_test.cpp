#include "belfry/graph/function.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/rewriter.h"
#include "belfry/graph/scope.h"
#include "belfry/inference/freeze.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class FunctionTest : public testing::Test {
 protected:
  std::string trouble_of(const Tensor& output) {
    std::string trouble;
    EXPECT_FALSE(extract_function({x_}, {output}, &trouble));
    return trouble;
  }

  Graph graph_;
  GraphScope scope_{graph_};
  Tensor x_ = placeholder("x", {kDynamic, 4});
};

std::vector<std::string> names_of(const std::vector<const Node*>& nodes) {
  std::vector<std::string> names;
  for (const Node* node : nodes) names.push_back(node->name());
  return names;
}

TEST_F(FunctionTest, ExtractKeepsNamesAndDropsIdentities) {
  const Variable w = get_variable("fc/W", {4, 2});
  const Tensor y = identity(relu(matmul(identity(x_, "same"), w, "fc/product"), "fc/relu"), "prob");
  const auto function = extract_function({x_}, {y});
  ASSERT_TRUE(function);
  EXPECT_THAT(names_of(function->calls()), ElementsAre("fc/product", "fc/relu"));
  EXPECT_THAT(function->input_names, ElementsAre("x"));
  EXPECT_THAT(function->output_names, ElementsAre("prob"));
  ASSERT_EQ(function->weights.size(), 1);
  EXPECT_EQ(function->weights[0].name, "fc/W");
  EXPECT_TRUE(function->weights[0].variable.defined());
}

TEST_F(FunctionTest, AnyTensorMayBeAnInputAlsoASecondOutput) {
  const auto parts = call_multi("aten::split.Tensor", {x_}, {{"split_size", 2}, {"dim", 1}}, "parts");
  const auto function = extract_function({x_, parts[1]}, {parts[0] + parts[1]});
  ASSERT_TRUE(function);
  EXPECT_THAT(function->input_names, ElementsAre("x", "parts:1"));
  Session session(*function->graph);
  const auto y = session.make_callable({function->inputs.begin(), function->inputs.end()},
                                       {function->outputs[0]})({at::ones({1, 4}), at::full({1, 2}, 5.0F)});
  EXPECT_TRUE(y[0].equal(at::full({1, 2}, 6.0F)));
}

TEST_F(FunctionTest, AFirstOutputThatIsAnInputStandsBesideTheSecondThatIsComputed) {
  const auto parts = call_multi("aten::split.Tensor", {x_}, {{"split_size", 2}, {"dim", 1}}, "parts");
  const auto function = extract_function({x_, parts[0]}, {parts[0] + parts[1]});
  ASSERT_TRUE(function);
  Session session(*function->graph);
  const auto y = session.make_callable({function->inputs.begin(), function->inputs.end()},
                                       {function->outputs[0]})({at::ones({1, 4}), at::full({1, 2}, 5.0F)});
  EXPECT_TRUE(y[0].equal(at::full({1, 2}, 6.0F)));
}

TEST_F(FunctionTest, WhatIsNoInferenceGraphSaysWhichNodeAndWhy) {
  EXPECT_THAT(trouble_of(dropout(x_, 0.5)), HasSubstr("draws random numbers"));
  EXPECT_THAT(trouble_of(x_ + placeholder("side/labels", {kDynamic, 4})),
              AllOf(HasSubstr("node 'side/labels'"), HasSubstr("scope 'side'"),
                    HasSubstr("is not among the inputs")));
}

TEST_F(FunctionTest, SplitOffConstantsLeavesWhatTheInputsFlowInto) {
  const Variable w = get_variable("W", {4, 4});
  const auto function = extract_function({x_}, {matmul(matmul(x_, w), exp(w, "scale"))});
  ASSERT_TRUE(function);
  const SplitFunction parts = split_off_constants(*function);
  EXPECT_THAT(names_of(parts.preparation.calls()), ElementsAre("scale"));
  EXPECT_EQ(parts.rest.calls().size(), 2);
  EXPECT_THAT(parts.preparation.output_names, ElementsAre("W", "scale"));
  EXPECT_TRUE(parts.rest.weights[0].variable.defined());
  EXPECT_FALSE(parts.rest.weights[1].variable.defined());
}

TEST_F(FunctionTest, AFrozenFunctionKeepsItsValuesWhenVariablesChange) {
  const Variable w = get_variable("W", {4, 2});
  Session session(graph_);
  session.set_value(w, at::ones({4, 2}));
  const Tensor y = matmul(x_, w);
  const Function frozen = freeze_function("test", session, {x_}, {y});
  session.set_value(w, at::full({4, 2}, 7.0F));
  ASSERT_EQ(frozen.weights.size(), 1);
  EXPECT_TRUE(frozen.weights[0].value.equal(at::ones({4, 2})));
  EXPECT_TRUE(freeze_function("test", frozen).weights[0].value.equal(at::ones({4, 2})));
  EXPECT_THAT(test::message_of<UsageError>([&] { freeze_function("test", *extract_function({x_}, {y})); }),
              HasSubstr("[test] expected a function with the values of its weights, got none for 'W'"));
}

}  // namespace
}  // namespace belfry
