#include <ATen/TensorOperators.h>
#include <ATen/ops/_log_softmax_backward_data.h>
#include <ATen/ops/_safe_softmax.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <torch/library.h>

#include <limits>
#include <tuple>

#include "belfry/ops/internal/many_values.h"

// What compiled training steps make of scaled_dot_product_attention, with what its derivative needs, and of
// softmax: small attention as two products around belfry::attention_weights, which are kept, large attention
// as ATen's kernel for it, which keeps one number of each row.

namespace belfry {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

/// The softmax of the last dimension of scale * scores + mask, for queries and keys that end together; bool
/// masks and `is_causal` (keys not after the query, counted from the first) leave out. A row with nothing
/// left is zeros.
Tensor attention_weights(const Tensor& scores, const OptionalTensor& mask, bool is_causal, double scale) {
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  Tensor s = scores * scale;
  if (mask) s = mask->scalar_type() == at::kBool ? s.masked_fill(mask->logical_not(), kNever) : s + *mask;
  if (is_causal) {
    const Tensor later =
        at::ones({scores.size(-2), scores.size(-1)}, scores.options().dtype(at::kBool)).triu(1);
    s = s.masked_fill(later, kNever);
  }
  return at::_safe_softmax(s, -1);
}
Tensor attention_weights_meta(const Tensor& scores, const OptionalTensor&, bool, double) {
  return at::empty_like(scores, at::MemoryFormat::Contiguous);
}

/// The gradient by x of y = softmax(scale x).
Tensor softmax_backprop(const Tensor& gradient, const Tensor& y, int64_t dim, double scale) {
  if (y.dim() > 0 && y.size(dim) > internal::kManyValues) {
    const Tensor g = gradient.to(at::kDouble), values = y.to(at::kDouble);
    return ((g - (g * values).sum(dim, /*keepdim=*/true)) * values * scale).to(y.scalar_type());
  }
  const Tensor dx = at::_softmax_backward_data(gradient, y, dim, y.scalar_type());
  return scale == 1 ? dx : dx * scale;
}
Tensor softmax_backprop_meta(const Tensor&, const Tensor& y, int64_t, double) {
  return at::empty_like(y, at::MemoryFormat::Contiguous);
}

Tensor log_softmax_backprop(const Tensor& gradient, const Tensor& y, int64_t dim) {
  if (y.dim() > 0 && y.size(dim) > internal::kManyValues) {
    const Tensor g = gradient.to(at::kDouble);
    return (g - y.to(at::kDouble).exp() * g.sum(dim, /*keepdim=*/true)).to(y.scalar_type());
  }
  return at::_log_softmax_backward_data(gradient, y, dim, y.scalar_type());
}
Tensor log_softmax_backprop_meta(const Tensor&, const Tensor& y, int64_t) {
  return at::empty_like(y, at::MemoryFormat::Contiguous);
}

/// Of [batch, heads, time, size], without all weights in memory, and the logarithm of the sum of each row.
std::tuple<Tensor, Tensor> attention_with_sums(const Tensor& query, const Tensor& key, const Tensor& value,
                                               bool is_causal, double scale) {
  return at::_scaled_dot_product_flash_attention_for_cpu(query, key, value, /*dropout_p=*/0, is_causal,
                                                         /*attn_mask=*/{}, scale);
}
std::tuple<Tensor, Tensor> attention_with_sums_meta(const Tensor& query, const Tensor&, const Tensor&, bool,
                                                    double) {
  const auto sum_options =
      query.options().dtype(query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  return {at::empty(query.sizes(), query.options()),
          at::empty({query.size(0), query.size(1), query.size(2)}, sum_options)};
}

/// By query, key and value.
std::tuple<Tensor, Tensor, Tensor> attention_backprop(const Tensor& gradient, const Tensor& query,
                                                      const Tensor& key, const Tensor& value,
                                                      const Tensor& output, const Tensor& sums,
                                                      bool is_causal, double scale) {
  return at::_scaled_dot_product_flash_attention_for_cpu_backward(
      gradient, query, key, value, output, sums, /*dropout_p=*/0, is_causal, /*attn_mask=*/{}, scale);
}
std::tuple<Tensor, Tensor, Tensor> attention_backprop_meta(const Tensor&, const Tensor& query,
                                                           const Tensor& key, const Tensor& value,
                                                           const Tensor&, const Tensor&, bool, double) {
  return {at::empty(query.sizes(), query.options()), at::empty(key.sizes(), key.options()),
          at::empty(value.sizes(), value.options())};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("attention_weights(Tensor scores, Tensor? mask, *, bool is_causal, float scale) -> Tensor",
        attention_weights);
  m.def("softmax_backprop(Tensor gradient, Tensor y, *, int dim, float scale=1) -> Tensor", softmax_backprop);
  m.def("log_softmax_backprop(Tensor gradient, Tensor y, *, int dim) -> Tensor", log_softmax_backprop);
  m.def(
      "attention_with_sums(Tensor query, Tensor key, Tensor value, *, bool is_causal, float scale) -> "
      "(Tensor, Tensor)",
      attention_with_sums);
  m.def(
      "attention_backprop(Tensor gradient, Tensor query, Tensor key, Tensor value, Tensor output, "
      "Tensor sums, *, bool is_causal, float scale) -> (Tensor, Tensor, Tensor)",
      attention_backprop);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("attention_weights", attention_weights_meta);
  m.impl("softmax_backprop", softmax_backprop_meta);
  m.impl("log_softmax_backprop", log_softmax_backprop_meta);
  m.impl("attention_with_sums", attention_with_sums_meta);
  m.impl("attention_backprop", attention_backprop_meta);
}

}  // namespace belfry
