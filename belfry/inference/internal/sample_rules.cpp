#include "belfry/inference/internal/sample_rules.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "belfry/inference/internal/fused_op.h"

// A rule per operator, found by its name. Those of the table are for calls whose first input has the samples;
// where another input must not have any, or must have the same, the rule looks.

namespace belfry::internal {
namespace {

using Result = std::optional<Samples>;

const Tensor& first(const SampledCall& call) {
  return call.node.inputs()[0];
}

int64_t axis_of(const SampledCall& call, const char* name = "dim") {
  const int64_t axis = call.node.attribute(name).toInt();
  return axis < 0 ? axis + first(call).rank() : axis;
}

int64_t output_rank(const SampledCall& call) {
  return static_cast<int64_t>(call.node.outputs()[0].shape.size());
}

Samples without(Samples samples, int64_t axis) {
  samples.axis -= axis < samples.axis;
  return samples;
}

Result when(bool condition, const Samples& samples) {
  return condition ? Result(samples) : std::nullopt;
}

/// Element by element; axes are counted from the end.
Result broadcast(const SampledCall& call) {
  const int64_t rank = output_rank(call);
  Result result;
  for (const Tensor& input : call.node.inputs()) {
    const Samples samples = call.of(input);
    if (!samples) continue;
    const Samples here{.axis = rank - (input.rank() - samples.axis), .rows = samples.rows};
    if (result && *result != here) return std::nullopt;
    result = here;
  }
  for (const Tensor& input : call.node.inputs()) {
    const int64_t axis = input.rank() - (rank - result->axis);
    if (!call.of(input) && axis >= 0 && input.dim(axis) != 1) return std::nullopt;
  }
  return result;
}

/// Rows of a table that is the same for all samples.
Result embedding(const SampledCall& call) {
  return when(!call.of(first(call)), call.of(call.node.inputs()[1]));
}

/// A fused operator, which keeps the axis of the samples; `own_axis`: it computes nothing along that.
Result fused(const SampledCall& call, bool own_axis) {
  const OpParts parts(call.node);
  const Samples samples = call.of(first(call));
  const bool weights_depend = std::any_of(parts.inputs.begin() + 1, parts.inputs.begin() + 3,
                                          [&](const Tensor& t) { return bool(call.of(t)); });
  const bool has_residual = parts.has_weights() && parts.inputs[3].defined();
  return when(own_axis && !weights_depend && (!has_residual || call.of(parts.inputs[3]) == samples), samples);
}
Result fused_image(const SampledCall& call) {
  return fused(call, call.of(first(call)).axis == 0);
}
Result fused_rows(const SampledCall& call) {
  return fused(call, call.of(first(call)).axis < first(call).rank() - 1);
}

Result image(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  return when(samples.axis == 0, samples);
}

Result layer_norm(const SampledCall& call) {
  const auto& inputs = call.node.inputs();
  const auto normalized = static_cast<int64_t>(call.node.attribute("normalized_shape").toIntVector().size());
  const bool only_first = std::none_of(inputs.begin() + 1, inputs.end(),
                                       [&](const Tensor& input) { return bool(call.of(input)); });
  const Samples samples = call.of(first(call));
  return when(only_first && samples.axis < first(call).rank() - normalized, samples);
}

/// Along an axis that stays.
Result along(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  return when(axis_of(call) != samples.axis, samples);
}

Result reduced(const SampledCall& call) {
  const c10::IValue dims = call.node.attribute("dim");
  if (!dims.isIntList() || dims.toIntVector().empty()) return std::nullopt;
  Samples samples = call.of(first(call));
  const int64_t rank = first(call).rank(), axis = samples.axis;
  for (int64_t dim : dims.toIntVector()) {
    if (dim < 0) dim += rank;
    if (dim == axis) return std::nullopt;
    if (!call.node.attribute("keepdim").toBool()) samples.axis -= dim < axis;
  }
  return samples;
}

Result index_of_extreme(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  if (call.node.attribute("dim").isNone() || axis_of(call) == samples.axis) return std::nullopt;
  return call.node.attribute("keepdim").toBool() ? samples : without(samples, axis_of(call));
}

/// A sample's elements lie together when its axis is the first, and stay together when the new first one cuts
/// no sample in two.
Result reshaped(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  const Shape& shape = call.node.outputs()[0].shape;
  if (samples.axis != 0 || shape.empty() || shape[0] != kDynamic) return std::nullopt;
  const int64_t count = elements_of_sample(first(call).shape(), samples),
                of_row = elements_of_sample(shape, Samples{.axis = 0});
  if (of_row == 0 || count % of_row != 0) return std::nullopt;
  return Samples{.axis = 0, .rows = count / of_row};
}

Result permuted(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  const auto dims = call.node.attribute("dims").toIntVector();
  Samples moved = samples;
  for (size_t i = 0; i < dims.size(); ++i) {
    if ((dims[i] < 0 ? dims[i] + first(call).rank() : dims[i]) == samples.axis)
      moved.axis = static_cast<int64_t>(i);
  }
  return moved;
}

Result selected(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  return when(axis_of(call) != samples.axis, without(samples, axis_of(call)));
}

Result unsqueezed(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  int64_t axis = call.node.attribute("dim").toInt();
  if (axis < 0) axis += output_rank(call);
  return Samples{.axis = samples.axis + (axis <= samples.axis), .rows = samples.rows};
}

Result concatenated(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  const bool alike =
      std::ranges::all_of(call.node.inputs(), [&](const Tensor& input) { return call.of(input) == samples; });
  return when(alike && axis_of(call) != samples.axis, samples);
}

Result padded(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  const auto pads = call.node.attribute("paddings").toIntVector();
  const auto at = static_cast<size_t>(2 * samples.axis);
  return when(pads[at] == 0 && pads[at + 1] == 0, samples);
}

Result attention(const SampledCall& call) {
  const Samples samples = call.of(first(call));
  const int64_t rank = output_rank(call);
  const bool together =
      call.of(call.node.inputs()[1]) == samples && call.of(call.node.inputs()[2]) == samples;
  const Tensor mask = input_named(call.node, "attn_mask");
  const bool mask_fits = !mask.defined() || (!call.of(mask) && (mask.rank() < rank || mask.dim(0) == 1)) ||
                         (call.of(mask) == samples && mask.rank() == rank);
  return when(together && mask_fits && samples.axis < rank - 2, samples);
}

Result same(const SampledCall& call) {
  return call.of(first(call));
}

/// Of calls whose first input has samples.
const std::unordered_map<std::string_view, SampleRule>& rules() {
  static const std::unordered_map<std::string_view, SampleRule> table = {
      {"belfry::fused_conv2d", fused_image},
      {"belfry::fused_linear", fused_rows},
      {"belfry::fused_scale_shift", fused_rows},
      {"belfry::max_pool2d", image},
      {"belfry::avg_pool2d", image},
      {"aten::layer_norm", layer_norm},
      {"aten::softmax.int", along},
      {"aten::log_softmax.int", along},
      {"aten::mean.dim", reduced},
      {"aten::sum.dim_IntList", reduced},
      {"aten::amax", reduced},
      {"aten::amin", reduced},
      {"aten::argmax", index_of_extreme},
      {"aten::argmin", index_of_extreme},
      {"aten::reshape", reshaped},
      {"aten::flatten.using_ints", reshaped},
      {"aten::permute", permuted},
      {"aten::select.int", selected},
      {"aten::unsqueeze", unsqueezed},
      {"aten::cat", concatenated},
      {"belfry::pad", padded},
      {"aten::scaled_dot_product_attention", attention},
      {"aten::_to_copy", same},
      {"aten::clone", same},
      {"aten::contiguous", same},
  };
  return table;
}

Result of_first_input(const SampledCall& call) {
  return call.of(first(call)) ? rules().at(call.node.op_name())(call) : std::nullopt;
}

}  // namespace

int64_t elements_of_sample(const Shape& shape, const Samples& samples) {
  int64_t count = samples.rows;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (static_cast<int64_t>(i) != samples.axis) count *= shape[i];
  }
  return count;
}

SampleRule sample_rule(const Node& node) {
  if (node.op().hasTag(at::Tag::pointwise)) return broadcast;
  if (node.op_name() == "aten::embedding") return embedding;
  return rules().contains(node.op_name()) ? of_first_input : nullptr;
}

}  // namespace belfry::internal
