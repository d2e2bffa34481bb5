#include "belfry/ops/loss.h"

#include "belfry/ops/call.h"

namespace belfry {
namespace {

/// ATen's Reduction::None
constexpr int64_t kNoReduction = 0;

}  // namespace

Tensor sparse_softmax_cross_entropy(const Tensor& logits, const Tensor& labels, const std::string& name) {
  return call("belfry::sparse_softmax_cross_entropy", {logits, labels}, {}, name);
}
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, const std::string& name) {
  return call("belfry::softmax_cross_entropy", {logits, labels}, {}, name);
}
Tensor sigmoid_cross_entropy(const Tensor& logits, const Tensor& labels, const std::string& name) {
  return call("aten::binary_cross_entropy_with_logits", {logits, labels}, {{"reduction", kNoReduction}},
              name.empty() ? "sigmoid_cross_entropy" : name);
}
Tensor l2_loss(const Tensor& x, const std::string& name) {
  return call("belfry::l2_loss", {x}, {}, name);
}
Tensor huber_loss(const Tensor& x, const Tensor& labels, double delta, const std::string& name) {
  return call("aten::huber_loss", {x, labels}, {{"reduction", kNoReduction}, {"delta", delta}}, name);
}

}  // namespace belfry
