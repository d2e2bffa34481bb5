#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/softmax.h"

// Softmax of training steps along the last dimension and its cross entropy, forward and backward, by kernels
// of our own in float32.

namespace belfry::internal {
namespace {

bool is_last(int64_t axis, const Tensor& x) {
  return x.rank() > 0 && (axis == -1 || axis == x.rank() - 1);
}

/// `mask` as it broadcasts to `sizes`; none where it has another last dimension.
TensorView broadcast_mask(const TensorView& mask, const Shape& sizes) {
  Sizes strides(sizes.size(), 0);
  const size_t added = sizes.size() - mask.sizes().size();
  for (size_t i = added; i < sizes.size(); ++i) {
    const auto axis = static_cast<int64_t>(i - added);
    if (mask.size(axis) == sizes[i]) {
      strides[i] = mask.stride(axis);
    } else if (mask.size(axis) != 1) {
      return {};
    }
  }
  if (strides.back() != 1) return {};
  return mask.as_strided(sizes, strides, mask.offset());
}

bool lower_attention_weights(ProgramBuilder& builder, const Node& node) {
  const Tensor scores = input_named(node, "scores"), mask = input_named(node, "mask");
  const Shape& shape = node.outputs()[0].shape;
  if (scores.dtype() != kFloat32 || c10::multiply_integers(shape) == 0) return false;
  TensorView mask_view;
  if (mask.defined()) {
    const bool fits = mask.dtype() == kFloat32 || mask.dtype() == kBool;
    if (!fits || mask.rank() == 0 || mask.rank() > scores.rank()) return false;
    mask_view = broadcast_mask(builder.value(mask), shape);
    if (!mask_view.defined()) return false;
  }
  const TensorView x = builder.dense(scores);
  const TensorView y = builder.make_output_in_place_of(node, scores, node.output());
  std::vector<TensorView> reads = {x};
  if (mask_view.defined()) reads.push_back(mask_view);
  const Softmax softmax{.scale = static_cast<float>(node.attribute("scale").toDouble()),
                        .is_causal = node.attribute("is_causal").toBool(),
                        .is_safe = true};
  builder.emit(node, make_softmax(softmax, x, mask_view, y), reads, {y});
  builder.define(node.output(), y);
  return true;
}

bool lower_softmax_backprop(ProgramBuilder& builder, const Node& node) {
  const Tensor gradient = input_named(node, "gradient"), output = input_named(node, "y");
  if (gradient.dtype() != kFloat32 || output.dtype() != kFloat32 ||
      !is_last(node.attribute("dim").toInt(), output) || c10::multiply_integers(output.shape()) == 0)
    return false;
  const TensorView dy = builder.dense(gradient), y = builder.dense(output);
  const TensorView dx = builder.make_output_in_place_of(node, gradient, node.output());
  const auto scale = static_cast<float>(node.attribute("scale").toDouble());
  builder.emit(node, make_softmax_backward(scale, dy, y, dx), {dy, y}, {dx});
  builder.define(node.output(), dx);
  return true;
}

/// Whether the labels are such as the kernels take, and the logits too.
bool has_plain_rows(const Tensor& logits, const Tensor& labels) {
  return logits.dtype() == kFloat32 && (labels.dtype() == kInt64 || labels.dtype() == kInt32) &&
         c10::multiply_integers(logits.shape()) > 0;
}

bool lower_cross_entropy(ProgramBuilder& builder, const Node& node) {
  const Tensor logits = input_named(node, "logits"), labels = input_named(node, "labels");
  if (!has_plain_rows(logits, labels)) return false;
  const TensorView x = builder.dense(logits), classes = builder.dense(labels);
  const TensorView loss = builder.make_output(node.output());
  builder.emit(node, make_softmax_cross_entropy(node.name(), x, classes, loss), {x, classes}, {loss});
  builder.define(node.output(), loss);
  return true;
}

bool lower_cross_entropy_backprop(ProgramBuilder& builder, const Node& node) {
  const Tensor gradient = input_named(node, "gradient"), logits = input_named(node, "logits"),
               labels = input_named(node, "labels");
  if (!has_plain_rows(logits, labels) || gradient.dtype() != kFloat32) return false;
  const TensorView by_loss = builder.dense(gradient), x = builder.dense(logits),
                   classes = builder.dense(labels);
  const TensorView dx = builder.make_output_in_place_of(node, logits, node.output());
  builder.emit(node, make_softmax_cross_entropy_backward(by_loss, x, classes, dx), {by_loss, x, classes},
               {dx});
  builder.define(node.output(), dx);
  return true;
}

}  // namespace

void add_softmax_lowerings(Lowerings& table) {
  table["belfry::sparse_softmax_cross_entropy"].push_back(lower_cross_entropy);
  table["belfry::sparse_softmax_cross_entropy_backprop"].push_back(lower_cross_entropy_backprop);
  table["belfry::attention_weights"].push_back(lower_attention_weights);
  table["belfry::softmax_backprop"].push_back(lower_softmax_backprop);
}

}  // namespace belfry::internal
