#include <optional>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/group_norm.h"

// Group and layer normalisation of training by kernels of our own: NHWC images, or rows, in float32.

namespace belfry::internal {
namespace {

std::optional<GroupNorm> norm_of(ProgramBuilder& builder, const Node& node, const Tensor& x) {
  const bool nhwc = x.rank() == 2 || node.attribute("data_format").toStringRef() == "NHWC";
  if (!nhwc || c10::multiply_integers(x.shape()) == 0) return std::nullopt;
  for (const char* name : {"gradient", "input", "scale", "offset"}) {
    const Tensor input = input_named(node, name);
    if (!input.defined()) continue;
    if (input.dtype() != kFloat32 || (input.rank() == 1 && !builder.value(input).is_contiguous()))
      return std::nullopt;
  }
  return GroupNorm{.samples = x.dim(0),
                   .pixels = c10::multiply_integers(x.shape()) / (x.dim(0) * x.dim(-1)),
                   .channels = x.dim(-1),
                   .groups = node.attribute("groups").toInt(),
                   .epsilon = 0};
}

bool lower_forward(ProgramBuilder& builder, const Node& node) {
  const Tensor input = input_named(node, "input");
  auto norm = norm_of(builder, node, input);
  if (!norm) return false;
  norm->epsilon = node.attribute("epsilon").toDouble();
  const GroupNormTensors t{.x = builder.dense(input),
                           .scale = builder.argument(node, "scale"),
                           .offset = builder.argument(node, "offset"),
                           .y = builder.make_output(node.output(0)),
                           .mean = builder.make_output(node.output(1)),
                           .inverse = builder.make_output(node.output(2))};
  builder.emit(node, make_group_norm(*norm, t), {t.x, t.scale, t.offset}, {t.y, t.mean, t.inverse});
  builder.define(node, {t.y, t.mean, t.inverse});
  return true;
}

bool lower_backward(ProgramBuilder& builder, const Node& node) {
  const Tensor gradient = input_named(node, "gradient"), input = input_named(node, "input");
  const auto norm = norm_of(builder, node, input);
  if (!norm) return false;
  GroupNormGradients t;
  t.dy = builder.dense(gradient);
  t.x = builder.dense(input);
  t.scale = builder.argument(node, "scale");
  t.mean = builder.argument(node, "mean");
  t.inverse = builder.argument(node, "inverse");
  t.dx = builder.make_output_in_place_of(node, gradient, node.output(0));
  t.dscale = builder.make_output(node.output(1));
  t.doffset = builder.make_output(node.output(2));
  builder.emit(node, make_group_norm_backward(*norm, t), {t.dy, t.x, t.scale, t.mean, t.inverse},
               {t.dx, t.dscale, t.doffset});
  builder.define(node, {t.dx, t.dscale, t.doffset});
  return true;
}

}  // namespace

void add_group_norm_lowerings(Lowerings& table) {
  table["belfry::group_norm_with_statistics"].push_back(lower_forward);
  table["belfry::group_norm_backprop"].push_back(lower_backward);
}

}  // namespace belfry::internal
