#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/silu.h>
#include <torch/library.h>

#include <algorithm>
#include <string_view>

// What the passes of belfry/compile make of several nodes, in terms of the operators that they replace.
// Programs run them as one primitive; these kernels say what that must compute, and serve devices and dtypes
// without one.
//
// All end in activation(y + residual). Images are NHWC.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

Tensor activate(const Tensor& x, std::string_view name, double alpha, double beta) {
  if (name == "none") return x;
  if (x.is_meta() && (name == "relu" || name == "hardswish")) return x;  // which ATen has not for these
  if (name == "relu") return x.relu();
  if (name == "clamp") return x.clamp(alpha, beta);
  if (name == "sigmoid") return x.sigmoid();
  if (name == "tanh") return x.tanh();
  if (name == "gelu") return at::gelu(x);
  if (name == "gelu_tanh") return at::gelu(x, "tanh");
  if (name == "silu") return at::silu(x);
  if (name == "leaky_relu") return at::leaky_relu(x, alpha);
  if (name == "hardswish") return at::hardswish(x);
  if (name == "elu") return at::elu(x, alpha);
  TORCH_CHECK(false, "expected the name of an activation, got \"", name, "\"");
}

Tensor finish(const Tensor& y, const OptionalTensor& residual, std::string_view activation, double alpha,
              double beta) {
  return activate(residual ? y + *residual : y, activation, alpha, beta);
}

/// `pads`: zeros at the top, bottom, left and right, before `padding` applies.
Tensor fused_conv2d(const Tensor& input, const Tensor& filter, const OptionalTensor& bias,
                    const OptionalTensor& residual, IntArrayRef strides, std::string_view padding,
                    IntArrayRef pads, IntArrayRef dilations, int64_t groups, std::string_view activation,
                    double alpha, double beta) {
  static const auto conv2d =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("belfry::conv2d", "")
          .typed<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, IntArrayRef, std::string_view,
                        IntArrayRef, int64_t, std::string_view)>();
  const bool padded = std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
  const Tensor x = padded ? at::constant_pad_nd(input, {0, 0, pads[2], pads[3], pads[0], pads[1]}) : input;
  return finish(conv2d.call(x, filter, bias, strides, padding, dilations, groups, "NHWC"), residual,
                activation, alpha, beta);
}

Tensor fused_linear(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                    const OptionalTensor& residual, std::string_view activation, double alpha, double beta) {
  const Tensor y = at::matmul(input, weight);
  return finish(bias ? y + *bias : y, residual, activation, alpha, beta);
}

/// x * scale + shift, for each channel (the last dimension), in the dtype of x.
Tensor fused_scale_shift(const Tensor& input, const Tensor& scale, const Tensor& shift,
                         std::string_view activation, double alpha, double beta) {
  return activate(input * scale + shift, activation, alpha, beta).to(input.scalar_type());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "fused_conv2d(Tensor input, Tensor filter, Tensor? bias, Tensor? residual, *, int[2] strides=1, "
      "str padding='VALID', int[4] pads=0, int[2] dilations=1, int groups=1, str activation='none', float "
      "alpha=0, "
      "float beta=0) -> Tensor",
      fused_conv2d);
  m.def(
      "fused_linear(Tensor input, Tensor weight, Tensor? bias, Tensor? residual, *, str activation='none', "
      "float alpha=0, float beta=0) -> Tensor",
      fused_linear);
  m.def(
      "fused_scale_shift(Tensor input, Tensor scale, Tensor shift, *, str activation='none', float alpha=0, "
      "float beta=0) -> Tensor",
      fused_scale_shift);
}

}  // namespace belfry
