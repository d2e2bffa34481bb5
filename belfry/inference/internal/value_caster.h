#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "belfry/graph/rewriter.h"

namespace belfry::internal {

/// Copies a function with conversions to bfloat16 and back where a pass wants them. Outputs keep their
/// dtypes.
class ValueCaster {
 public:
  explicit ValueCaster(const Function& source) : source_(source), rewriter_(source) {}

  Function run(const Rewriter::Rule& rule);

  // For rules:

  Rewriter& rewriter() { return rewriter_; }
  /// Whether an input of `node` has become bfloat16.
  bool takes_bfloat16(const Node& node);
  /// The node's inputs: those in bfloat16 of which `lower(number)` is true and which were float32, the others
  /// in the dtype that they had.
  std::vector<Tensor> inputs(const Node& node, const std::function<bool(size_t)>& lower);

 private:
  /// `tensor` in that dtype; converted once, and not there and back.
  Tensor as(const Tensor& tensor, DType dtype);

  const Function& source_;
  Rewriter rewriter_;
  std::unordered_map<Tensor, Tensor> casts_;
};

}  // namespace belfry::internal
