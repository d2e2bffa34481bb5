#include "belfry/step/internal/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_map>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/ops/ops.h"
#include "belfry/step/internal/step_function.h"

namespace belfry {
namespace {

using internal::schedule;

/// Three products by weights, and the gradients by these.
Function gradients_of_products(Graph& graph) {
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {512, 64});
  std::vector<Tensor> weights;
  Tensor y = x;
  for (int i = 0; i < 3; ++i) {
    weights.push_back(placeholder(fmt::format("w{}", i), {64, 64}));
    y = relu(matmul(y, weights.back()));
  }
  const Tensor loss = sum(y);
  std::vector<Tensor> feeds = {x};
  feeds.insert(feeds.end(), weights.begin(), weights.end());
  std::string trouble;
  return internal::make_step_function(feeds, gradients(loss, weights),
                                      {{512, 64}, {64, 64}, {64, 64}, {64, 64}}, &trouble)
      ->head;
}

TEST(Schedule, KeepsEveryNodeBehindItsInputs) {
  Graph graph;
  const Function function = gradients_of_products(graph);
  const auto order = schedule(function);
  EXPECT_TRUE(std::ranges::is_permutation(order, function.calls()));
  std::unordered_map<const Node*, size_t> place;
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  for (const Node* node : order) {
    for (const Tensor& input : node->inputs()) {
      if (!place.contains(&input.node())) continue;
      EXPECT_LT(place[&input.node()], place[node]) << node->name();
    }
  }
}

TEST(Schedule, TakesTheGradientByAWeightAsSoonAsItCan) {
  Graph graph;
  const Function function = gradients_of_products(graph);
  const auto order = schedule(function);
  std::vector<std::string> products;
  for (const Node* node : order) {
    if (node->op_name().starts_with("belfry::linear_backprop")) products.push_back(node->op_name().substr(8));
  }
  EXPECT_EQ(products, (std::vector<std::string>{"linear_backprop_weight", "linear_backprop_input",
                                                "linear_backprop_weight", "linear_backprop_input",
                                                "linear_backprop_weight"}));
}

}  // namespace
}  // namespace belfry
