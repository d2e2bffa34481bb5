#include "belfry/runtime/internal/recordings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/gradients.h"

namespace belfry::internal {
namespace {

/// True when a gradient of `tensor` goes on to its node's inputs.
bool flows(const Tensor& tensor, const Fed& fed) {
  return !fed.contains(tensor) && passes_gradient(tensor);
}

/// The nodes that a gradient of `loss` may flow to.
std::unordered_set<const Node*> nodes_above(const Tensor& loss, const Fed& fed) {
  std::unordered_set<const Node*> result;
  std::vector<const Node*> stack;
  if (flows(loss, fed)) stack.push_back(&loss.node());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!result.insert(node).second) continue;
    for (const Tensor& input : node->inputs()) {
      if (flows(input, fed)) stack.push_back(&input.node());
    }
  }
  return result;
}

Recording find_recording(const Node& gradients, const Order& order, const Fed& fed) {
  const ArgumentsOf arguments(gradients);
  Recording recording{&gradients, nodes_above(arguments.tensor("loss"), fed), {}};
  const auto xs = arguments.tensors("xs");
  const std::unordered_set<Tensor> wanted(xs.begin(), xs.end());
  const auto carries_an_x = [&](const Tensor& input) {
    return wanted.contains(input) || (flows(input, fed) && recording.nodes.contains(&input.node()));
  };
  for (const Node* node : order.nodes) {
    if (recording.above.contains(node) && std::ranges::any_of(node->inputs(), carries_an_x))
      recording.nodes.insert(node);
  }
  for (const Node* node : recording.nodes) {
    if (writes(*node)) {
      throw UsageError(
          fmt::format("[gradients {}] cannot differentiate through '{}', which writes a variable",
                      gradients.name(), node->name()));
    }
  }
  return recording;
}

}  // namespace

const Recording& Recordings::of(const Node& gradients) const {
  return *std::ranges::find(of_gradients, &gradients, &Recording::gradients);
}

bool Recordings::is_shared_later(const Recording& recording) const {
  return std::any_of(of_gradients.begin() + (&recording - of_gradients.data()) + 1, of_gradients.end(),
                     [&](const Recording& later) {
                       return std::ranges::any_of(
                           recording.nodes, [&](const Node* node) { return later.nodes.contains(node); });
                     });
}

Recordings find_recordings(const Order& order, const Fed& fed) {
  Recordings recordings;
  for (const Node* node : order.nodes) {
    if (node->kind() != NodeKind::kGradients) continue;
    Recording recording = find_recording(*node, order, fed);
    recordings.nodes.insert(recording.nodes.begin(), recording.nodes.end());
    for (const Tensor& x : ArgumentsOf(*node).tensors("xs")) recordings.differentiated.insert(x);
    recordings.of_gradients.push_back(std::move(recording));
  }
  return recordings;
}

}  // namespace belfry::internal
