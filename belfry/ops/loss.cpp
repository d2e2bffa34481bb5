#include "belfry/ops/loss.h"

#include <cmath>

#include "belfry/ops/call.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

/// ATen's Reduction::None
constexpr int64_t kNoReduction = 0;
/// ATen's Reduction::Mean
constexpr int64_t kMeanReduction = 1;

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
Tensor weighted_cross_entropy_with_logits(const Tensor& logits, const Tensor& labels, double positive_weight,
                                          const std::string& name) {
  const std::string node_name = name.empty() ? "weighted_cross_entropy_with_logits" : name;
  const Tensor weight = constant(positive_weight, logits.dtype(), node_name + "/positive_weight");
  return call("aten::binary_cross_entropy_with_logits", {logits, labels, Tensor(), weight},
              {{"reduction", kNoReduction}}, node_name);
}
Tensor mean_squared_error(const Tensor& x, const Tensor& labels, const std::string& name) {
  return call("aten::mse_loss", {x, labels}, {{"reduction", kMeanReduction}},
              name.empty() ? "mean_squared_error" : name);
}
Tensor absolute_difference(const Tensor& x, const Tensor& labels, const std::string& name) {
  return call("aten::l1_loss", {x, labels}, {{"reduction", kMeanReduction}},
              name.empty() ? "absolute_difference" : name);
}
Tensor psnr(const Tensor& x, const Tensor& labels, double max_value, const std::string& name) {
  const std::string node_name = name.empty() ? "psnr" : name;
  const Tensor error = mean_squared_error(x, labels, node_name + "/mse");
  const Tensor log_error = call("aten::log10", {error}, {}, node_name + "/log10");
  return call("aten::rsub.Scalar", {log_error}, {{"other", 20 * std::log10(max_value)}, {"alpha", 10}},
              node_name);
}
Tensor l2_loss(const Tensor& x, const std::string& name) {
  return call("belfry::l2_loss", {x}, {}, name);
}
Tensor huber_loss(const Tensor& x, const Tensor& labels, double delta, const std::string& name) {
  return call("aten::huber_loss", {x, labels}, {{"reduction", kNoReduction}, {"delta", delta}}, name);
}

}  // namespace belfry
