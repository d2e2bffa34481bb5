#include <limits>
#include <optional>
#include <utility>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/batch_norm.h"

// Batch normalisation of training by kernels of our own: NHWC images, or rows, in float32 or bfloat16.

namespace belfry::internal {
namespace {

float limit_of(const Node& node) {
  const c10::IValue& limit = node.attribute("limit");
  return limit.isNone() ? std::numeric_limits<float>::infinity() : static_cast<float>(limit.toDouble());
}

std::optional<BatchNorm> norm_of(ProgramBuilder& builder, const Node& node, const Tensor& x, bool relu) {
  const bool nhwc = x.rank() == 2 || node.attribute("data_format").toStringRef() == "NHWC";
  if (!nhwc || c10::multiply_integers(x.shape()) == 0) return std::nullopt;
  if (x.dtype() != kFloat32 && x.dtype() != kBFloat16) return std::nullopt;
  for (const Tensor& input : node.inputs()) {
    const bool is_right = input.rank() == 1
                              ? input.dtype() == kFloat32 && builder.value(input).is_contiguous()
                              : input.dtype() == x.dtype();
    if (!is_right) return std::nullopt;
  }
  const int64_t channels = x.dim(-1);
  return BatchNorm{.rows = c10::multiply_integers(x.shape()) / channels,
                   .channels = channels,
                   .epsilon = static_cast<float>(node.attribute("epsilon").toDouble()),
                   .unbiased_variance = node.attribute("unbiased_variance").toBool(),
                   .relu = relu,
                   .limit = relu ? limit_of(node) : std::numeric_limits<float>::infinity()};
}

template <bool relu>
bool lower_forward(ProgramBuilder& builder, const Node& node) {
  const Tensor input = input_named(node, "input");
  const auto norm = norm_of(builder, node, input, relu);
  if (!norm) return false;
  const BatchNormTensors t{.x = builder.dense(input),
                           .scale = builder.argument(node, "scale"),
                           .offset = builder.argument(node, "offset"),
                           .y = builder.make_output(node.output(0)),
                           .mean = builder.make_output(node.output(1)),
                           .variance = builder.make_output(node.output(2))};
  builder.emit(node, make_batch_norm(*norm, t), {t.x, t.scale, t.offset}, {t.y, t.mean, t.variance});
  builder.define(node, {t.y, t.mean, t.variance});
  return true;
}

template <bool relu>
bool lower_backward(ProgramBuilder& builder, const Node& node) {
  const Tensor gradient = input_named(node, "gradient"), input = input_named(node, "input");
  const auto norm = norm_of(builder, node, input, relu);
  if (!norm) return false;
  BatchNormGradients t;
  t.dy = builder.dense(gradient);
  t.x = builder.dense(input);
  t.scale = builder.argument(node, "scale");
  if (relu) t.offset = builder.argument(node, "offset");
  t.mean = builder.argument(node, "mean");
  t.variance = builder.argument(node, "variance");
  t.dx = builder.make_output_in_place_of(node, gradient, node.output(0));
  t.dscale = builder.make_output(node.output(1));
  t.doffset = builder.make_output(node.output(2));
  builder.emit(node, make_batch_norm_backward(*norm, t), {t.dy, t.x, t.scale, t.offset, t.mean, t.variance},
               {t.dx, t.dscale, t.doffset});
  builder.define(node, {t.dx, t.dscale, t.doffset});
  return true;
}

}  // namespace

void add_batch_norm_lowerings(Lowerings& table) {
  table["belfry::batch_norm_training"].push_back(lower_forward<false>);
  table["belfry::batch_norm_relu_training"].push_back(lower_forward<true>);
  table["belfry::batch_norm_training_backprop"].push_back(lower_backward<false>);
  table["belfry::batch_norm_relu_training_backprop"].push_back(lower_backward<true>);
}

}  // namespace belfry::internal
