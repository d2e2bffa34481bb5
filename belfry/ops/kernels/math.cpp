#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/cumprod_backward.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/nll_loss.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scatter_add.h>
#include <ATen/ops/stack.h>
#include <torch/library.h>

#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "belfry/ops/internal/many_values.h"

// Operators of TensorFlow's that ATen has not, or has with other rules, formed of ATen's, from which their
// gradients come. What depends on values (labels beyond the classes) is refused when it runs; the kernels
// for tensors without data refuse what shapes and dtypes show.
namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;

Tensor squared_difference(const Tensor& x, const Tensor& y) {
  return (x - y).square();
}

Tensor add_n(at::TensorList tensors) {
  TORCH_CHECK(!tensors.empty(), "expected at least one tensor, got none");
  for (const Tensor& tensor : tensors) {
    TORCH_CHECK(tensor.sizes() == tensors[0].sizes(), "expected tensors of one shape, got ",
                tensors[0].sizes(), " and ", tensor.sizes());
  }
  Tensor sum = tensors[0];
  for (const Tensor& tensor : tensors.slice(1)) sum = at::add(sum, tensor);
  return sum;
}

Tensor global_norm(at::TensorList tensors) {
  TORCH_CHECK(!tensors.empty(), "expected at least one tensor, got none");
  std::vector<Tensor> norms;
  for (const Tensor& tensor : tensors) norms.push_back(internal::norm_of_all(tensor));
  return at::linalg_vector_norm(at::stack(norms));
}

Tensor prod(const Tensor& x, IntArrayRef axes, bool keep_dims, std::optional<at::ScalarType> dtype) {
  TORCH_CHECK(x.dim() > 0 || axes.empty(), "expected no axes of a scalar, got ", axes);
  std::vector<bool> reduced(static_cast<size_t>(x.dim()), axes.empty());
  for (int64_t axis : axes) reduced[static_cast<size_t>(at::maybe_wrap_dim(axis, x.dim()))] = true;
  Tensor result = x;
  for (int64_t axis = x.dim() - 1; axis >= 0; --axis) {
    if (reduced[static_cast<size_t>(axis)]) result = result.prod(axis, keep_dims, dtype);
  }
  return result;
}

/// The product of all before each element along the last dimension.
Tensor product_before(const Tensor& x) {
  const Tensor first = at::ones_like(x.narrow(-1, 0, 1));
  return x.size(-1) == 1 ? first : at::cat({first, x.narrow(-1, 0, x.size(-1) - 1).cumprod(-1)}, -1);
}

/// `gradient` has the reduced dimensions, of size 1. By each element it is the product of the others, zeros
/// among them or not.
Tensor prod_backprop(const Tensor& gradient, const Tensor& x, IntArrayRef axes) {
  if (x.numel() == 0 || axes.empty()) return gradient.expand_as(x).clone();
  const auto count = static_cast<int64_t>(axes.size());
  std::vector<int64_t> last(axes.size());
  for (size_t i = 0; i < last.size(); ++i) last[i] = static_cast<int64_t>(i) - count;
  const Tensor moved = x.movedim(axes, last), rows = moved.flatten(-count);
  const Tensor others = product_before(rows) * product_before(rows.flip(-1)).flip(-1);
  return gradient * others.reshape(moved.sizes()).movedim(last, axes);
}
Tensor prod_backprop_meta(const Tensor&, const Tensor& x, IntArrayRef) {
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}

Tensor cumprod_backprop(const Tensor& gradient, const Tensor& x, const Tensor& y, int64_t axis) {
  return at::cumprod_backward(gradient, x, axis, y);
}
Tensor cumprod_backprop_meta(const Tensor&, const Tensor& x, const Tensor&, int64_t) {
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}

/// ATen's own, of inputs that broadcast.
Tensor l1_loss(const Tensor& x, const Tensor& target, int64_t reduction) {
  const Tensor difference = (x - target).abs();
  if (reduction == at::Reduction::Mean) return difference.mean();
  return reduction == at::Reduction::Sum ? difference.sum() : difference;
}

/// ATen's own counts the elements of `x` where it takes the mean, be they fewer than those of the result.
Tensor mse_loss(const Tensor& x, const Tensor& target, int64_t reduction) {
  if (x.sizes() == target.sizes()) return at::mse_loss(x, target, reduction);
  const Tensor squares = (x - target).square();
  if (reduction == at::Reduction::Mean) return squares.mean();
  return reduction == at::Reduction::Sum ? squares.sum() : squares;
}

Tensor softsign(const Tensor& x) {
  return x / (x.abs() + 1);
}

Tensor softsign_meta(const Tensor& x) {
  return x / (x + 1);
}

Tensor prelu(const Tensor& x, const Tensor& alpha) {
  return at::relu(x) + alpha * at::clamp_max(x, 0);
}
Tensor prelu_meta(const Tensor& x, const Tensor& alpha) {
  TORCH_CHECK(x.scalar_type() != at::kBool, "expected numbers, got bool");
  return x + alpha * at::clamp_max(x, 0);
}

Tensor sparse_softmax_cross_entropy(const Tensor& logits, const Tensor& labels) {
  TORCH_CHECK(logits.dim() > 0 && logits.dim() == labels.dim() + 1 &&
                  labels.sizes() == logits.sizes().slice(0, static_cast<size_t>(labels.dim())),
              "expected logits [..., C] and labels of the same leading sizes, got ", logits.sizes(), " and ",
              labels.sizes());
  TORCH_CHECK(at::isIntegralType(labels.scalar_type(), /*includeBool=*/false),
              "expected integer labels, got ", labels.scalar_type());
  const int64_t classes = logits.size(-1);
  // No label is ignored: one out of range is an error.
  constexpr int64_t kIgnoreNone = std::numeric_limits<int64_t>::min();
  const Tensor loss =
      at::nll_loss(internal::log_softmax(logits.reshape({-1, classes}), 1), labels.reshape(-1).to(at::kLong),
                   /*weight=*/{}, at::Reduction::None, kIgnoreNone);
  return loss.reshape(labels.sizes());
}

/// The gradient by the logits, of labels that the loss has checked.
Tensor sparse_softmax_cross_entropy_backprop(const Tensor& gradient, const Tensor& logits,
                                             const Tensor& labels) {
  const Tensor result = internal::softmax(logits, -1);
  const Tensor places = labels.unsqueeze(-1).to(at::kLong);
  return result.scatter_add(-1, places, at::full({}, -1, result.options()).expand_as(places)) *
         gradient.unsqueeze(-1);
}

Tensor sparse_softmax_cross_entropy_backprop_meta(const Tensor&, const Tensor& logits, const Tensor&) {
  return at::empty_like(logits);
}

Tensor linear_backprop_input(const Tensor& gradient, const Tensor& weight) {
  return at::mm(gradient, weight.t());
}

/// By the weight, and by a bias, of that dtype; none: the gradient's.
std::tuple<Tensor, Tensor> linear_backprop_weight(const Tensor& gradient, const Tensor& input,
                                                  std::optional<at::ScalarType> dtype) {
  const at::ScalarType wanted = dtype.value_or(gradient.scalar_type());
  return {at::mm(input.t(), gradient).to(wanted), gradient.sum(0, /*keepdim=*/false, wanted)};
}

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels) {
  TORCH_CHECK(logits.dim() > 0 && logits.sizes() == labels.sizes(),
              "expected labels of the shape of the logits, got ", labels.sizes(), " and ", logits.sizes());
  return (labels * internal::log_softmax(logits, -1)).sum(-1).neg();
}

Tensor l2_loss(const Tensor& x) {
  return x.square().sum() * 0.5;
}

void check_in_top_k(const Tensor& predictions, const Tensor& labels) {
  TORCH_CHECK(predictions.dim() == 2 && labels.dim() == 1 && labels.size(0) == predictions.size(0),
              "expected predictions [N, C] and labels [N], got ", predictions.sizes(), " and ",
              labels.sizes());
  TORCH_CHECK(at::isIntegralType(labels.scalar_type(), /*includeBool=*/false),
              "expected integer labels, got ", labels.scalar_type());
}

Tensor in_top_k(const Tensor& predictions, const Tensor& labels, int64_t k) {
  check_in_top_k(predictions, labels);
  const int64_t classes = predictions.size(1);
  const Tensor valid = labels.ge(0).logical_and(labels.lt(classes));
  const Tensor target = predictions.gather(1, labels.to(at::kLong).clamp(0, classes - 1).unsqueeze(1));
  const Tensor rank = predictions.gt(target).sum(1);
  return rank.lt(k).logical_and(predictions.isfinite().all(1)).logical_and(valid);
}

Tensor in_top_k_meta(const Tensor& predictions, const Tensor& labels, int64_t) {
  check_in_top_k(predictions, labels);
  return at::empty_like(labels, at::kBool);
}

Tensor not_in_top_k(const Tensor& predictions, const Tensor& labels, int64_t k) {
  return in_top_k(predictions, labels, k).logical_not().to(at::kFloat);
}
Tensor not_in_top_k_meta(const Tensor& predictions, const Tensor& labels, int64_t) {
  check_in_top_k(predictions, labels);
  return at::empty_like(labels, at::kFloat);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("squared_difference(Tensor x, Tensor y) -> Tensor", squared_difference);
  m.def("add_n(Tensor[] tensors) -> Tensor", add_n);
  m.def("global_norm(Tensor[] tensors) -> Tensor", global_norm);
  m.def("prod(Tensor x, *, int[] axes=[], bool keep_dims=False, ScalarType? dtype=None) -> Tensor", prod);
  m.def("prod_backprop(Tensor gradient, Tensor x, *, int[] axes) -> Tensor", prod_backprop);
  m.def("cumprod_backprop(Tensor gradient, Tensor x, Tensor y, *, int axis) -> Tensor", cumprod_backprop);
  m.def("l1_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor", l1_loss);
  m.def("mse_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor", mse_loss);
  m.def("softsign(Tensor x) -> Tensor", softsign);
  m.def("prelu(Tensor x, Tensor alpha) -> Tensor", prelu);
  m.def("sparse_softmax_cross_entropy(Tensor logits, Tensor labels) -> Tensor", sparse_softmax_cross_entropy);
  m.def("sparse_softmax_cross_entropy_backprop(Tensor gradient, Tensor logits, Tensor labels) -> Tensor",
        sparse_softmax_cross_entropy_backprop);
  m.def("linear_backprop_input(Tensor gradient, Tensor weight) -> Tensor", linear_backprop_input);
  m.def(
      "linear_backprop_weight(Tensor gradient, Tensor input, *, ScalarType? dtype=None) -> (Tensor, Tensor)",
      linear_backprop_weight);
  m.def("softmax_cross_entropy(Tensor logits, Tensor labels) -> Tensor", softmax_cross_entropy);
  m.def("l2_loss(Tensor x) -> Tensor", l2_loss);
  m.def("in_top_k(Tensor predictions, Tensor labels, *, int k) -> Tensor", in_top_k);
  m.def("not_in_top_k(Tensor predictions, Tensor labels, *, int k) -> Tensor", not_in_top_k);
}

// Where ATen lacks kernels for tensors without data.
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("prod_backprop", prod_backprop_meta);
  m.impl("cumprod_backprop", cumprod_backprop_meta);
  m.impl("softsign", softsign_meta);
  m.impl("prelu", prelu_meta);
  m.impl("sparse_softmax_cross_entropy_backprop", sparse_softmax_cross_entropy_backprop_meta);
  m.impl("in_top_k", in_top_k_meta);
  m.impl("not_in_top_k", not_in_top_k_meta);
}

}  // namespace belfry
