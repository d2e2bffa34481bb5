#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "belfry/graph/rewriter.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/step/internal/step_passes.h"

// A matrix of weights that is used many times, as by a recurrent cell in each time step, has a gradient that
// is the sum of one product for each use: sum_t x_t' dy_t. That is the product of all rows at once, X' dY,
// which reads and writes the matrix once instead of once for each use (Appleyard et al., "Optimizing
// performance of recurrent neural networks on GPUs", 2016). Invariant: a product is joined only where all
// that is used of it goes into sums over the same products, so that none is computed twice.

namespace belfry::internal {
namespace {

/// What one sum adds up: gradients by weights that may be joined, and the rest.
struct Sum {
  int index = 0;  ///< of the products' output: by the weights or by the bias
  std::vector<const Node*> products;
  std::vector<Tensor> rest;
};

bool is_sum(const Node& node) {
  return is_call(node, "aten::add.Tensor") && node.inputs().size() == 2 &&
         node.inputs()[0].shape() == node.inputs()[1].shape() &&
         node.attribute("alpha").toScalar().toDouble() == 1;
}

class Sums {
 public:
  Sums(const Function& graph, const Rewriter& rewriter) : rewriter_(rewriter) {
    const std::vector<const Node*> calls = graph.calls();
    std::unordered_set<const Node*> inner;
    for (const Node* node : calls) {
      if (!is_sum(*node)) continue;
      for (const Tensor& input : node->inputs()) {
        if (goes_on(input)) inner.insert(&input.node());
      }
    }
    for (const Node* node : calls) {
      if (is_sum(*node) && !inner.contains(node)) add(*node);
    }
  }

  /// The sum that ends in `node`, where its products may be joined.
  const Sum* worth_joining(const Node& node) const {
    const auto found = sums_.find(&node);
    if (found == sums_.end()) return nullptr;
    const Sum& sum = found->second;
    return sum.products.size() > 1 && saves_work(sum.products) && is_whole(sum.products) ? &sum : nullptr;
  }

 private:
  /// Products for one bias may be by matrices of several heights.
  static bool goes_with(const Tensor& term, const Sum& sum) {
    const Tensor &rows = term.node().inputs()[1], &first = sum.products[0]->inputs()[1];
    return term.index() == sum.index && rows.dim(1) == first.dim(1) && rows.dtype() == first.dtype();
  }

  bool goes_on(const Tensor& input) const { return is_sum(input.node()) && rewriter_.uses(input) == 1; }

  void add(const Node& root) {
    Sum sum;
    std::vector<Tensor> waiting(root.inputs().rbegin(), root.inputs().rend());
    while (!waiting.empty()) {
      const Tensor term = waiting.back();
      waiting.pop_back();
      if (goes_on(term)) {
        waiting.insert(waiting.end(), term.node().inputs().rbegin(), term.node().inputs().rend());
      } else if (is_call(term.node(), "belfry::linear_backprop_weight") && rewriter_.uses(term) == 1 &&
                 (sum.products.empty() || goes_with(term, sum))) {
        sum.index = term.index();
        sum.products.push_back(&term.node());
        sum_of_[term] = &root;
      } else {
        sum.rest.push_back(term);
      }
    }
    sums_.emplace(&root, std::move(sum));
  }

  /// Joining copies the rows of both factors; it saves reading and writing the matrix for all uses but one.
  static bool saves_work(const std::vector<const Node*>& products) {
    int64_t copied = 0;
    for (const Node* product : products)
      copied += product->inputs()[0].dim(0) * (product->inputs()[0].dim(1) + product->inputs()[1].dim(1));
    const auto count = static_cast<int64_t>(products.size());
    return copied < (count - 1) * products[0]->inputs()[0].dim(1) * products[0]->inputs()[1].dim(1);
  }

  /// Whether each output of the products is unused in all of them, or added up over exactly these.
  bool is_whole(const std::vector<const Node*>& products) const {
    for (const int index : {0, 1}) {
      const Node* sum = nullptr;
      for (const Node* product : products) {
        const Tensor output = product->output(index);
        const auto found = sum_of_.find(output);
        const Node* its_sum = found == sum_of_.end() ? nullptr : found->second;
        if (rewriter_.uses(output) != (its_sum ? 1 : 0)) return false;
        if (product == products[0]) sum = its_sum;
        if (its_sum != sum) return false;
      }
      if (sum && sums_.at(sum).products.size() != products.size()) return false;
    }
    return true;
  }

  const Rewriter& rewriter_;
  std::unordered_map<const Node*, Sum> sums_;       ///< by the node that a sum ends in
  std::unordered_map<Tensor, const Node*> sum_of_;  ///< of outputs of products
};

}  // namespace

Function join_weight_gradients(const Function& graph) {
  Rewriter rewriter(graph);
  const Sums sums(graph, rewriter);
  std::unordered_map<const Node*, std::vector<Tensor>> joined;  // by the first of the products
  return rewriter.run([&](const Node& node) -> Tensor {
    const Sum* sum = sums.worth_joining(node);
    if (!sum) return {};
    std::vector<const Node*> products = sum->products;
    std::ranges::sort(products, {}, &Node::id);
    const Node& first = *products[0];
    std::vector<Tensor>& outputs = joined[&first];
    if (outputs.empty()) {
      std::vector<Tensor> gradients, inputs;
      for (const Node* product : products) {
        gradients.push_back(rewriter(product->inputs()[0]));
        inputs.push_back(rewriter(product->inputs()[1]));
      }
      outputs = call_multi("belfry::linear_backprop_weight", {concat(gradients, 0), concat(inputs, 0)},
                           OpParts(first).attributes, first.name() + "_joined");
    }
    Tensor result = outputs[static_cast<size_t>(sum->index)];
    for (const Tensor& term : sum->rest) result = add(result, rewriter(term));
    return result;
  });
}

}  // namespace belfry::internal
