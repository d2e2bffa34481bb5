#include "belfry/inference/internal/fused_op.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of normalisations.

namespace belfry::internal {
namespace {

std::string data_format(const Backprop& b) {
  return b.attribute("data_format").toStringRef();
}

bool batch_norm_training(Backprop& b) {
  b.refuse_further_gradients();
  const auto gradients =
      call_multi("belfry::batch_norm_training_backprop",
                 {b.gradient(), b.input("input"), b.input("scale"), b.output(1), b.output(2)},
                 OpParts(b.node()).attributes);
  b.give("input", gradients[0]);
  b.give("scale", gradients[1]);
  b.give("offset", gradients[2]);
  return true;
}

/// By statistics that are given: y = (x - mean) inverse scale + offset, with inverse = 1 / sqrt(variance +
/// epsilon), so that the sums of g and of g (x - mean) by channel tell everything.
bool batch_norm(Backprop& b) {
  const Tensor x = b.input("input"), mean = b.input("mean"), scale = b.input("scale"), g = b.gradient();
  const int64_t channels = data_format(b) == "NHWC" ? x.rank() - 1 : 1;
  Shape by_channel(static_cast<size_t>(x.rank()), 1);
  by_channel[static_cast<size_t>(channels)] = x.dim(channels);
  std::vector<int64_t> others;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (axis != channels) others.push_back(axis);
  }
  const Tensor inverse = rsqrt(b.input("variance") + b.attribute("epsilon").toDouble());
  const Tensor factor = scale.defined() ? inverse * scale : inverse;
  if (b.wants("input")) b.give("input", g * reshape(factor, by_channel));
  if (b.wants("offset") || b.wants("mean")) {
    const Tensor total = sum(g, others);
    b.give("offset", total);
    if (b.wants("mean")) b.give("mean", -(total * factor));
  }
  if (b.wants("scale") || b.wants("variance")) {
    const Tensor product = sum(g * (x - reshape(mean, by_channel)), others) * inverse;
    b.give("scale", product);
    if (b.wants("variance")) b.give("variance", product * factor * inverse * -0.5);
  }
  return true;
}

bool group_norm(Backprop& b) {
  b.refuse_further_gradients();
  const auto gradients =
      call_multi("belfry::group_norm_backprop",
                 {b.gradient(), b.input("input"), b.input("scale"), b.output(1), b.output(2)},
                 {{"groups", b.attribute("groups").toInt()}, {"data_format", data_format(b)}});
  b.give("input", gradients[0]);
  b.give("scale", gradients[1]);
  b.give("offset", gradients[2]);
  return true;
}

bool local_response_normalization(Backprop& b) {
  b.give("x", call("belfry::local_response_normalization_backprop", {b.gradient(), b.input("x")},
                   {{"depth_radius", b.attribute("depth_radius").toInt()},
                    {"bias", b.attribute("bias").toDouble()},
                    {"alpha", b.attribute("alpha").toDouble()},
                    {"beta", b.attribute("beta").toDouble()}}));
  return true;
}

/// y = x r with r = 1 / sqrt(max(s, epsilon)), s the sum of squares, which passes nothing where that is
/// epsilon.
bool l2_normalize(Backprop& b) {
  const Tensor x = b.input("x"), g = b.gradient();
  const int64_t axis = b.attribute("axis").toInt();
  const double epsilon = b.attribute("epsilon").toDouble();
  const Tensor squares = sum(square(x), axis, {.keep_dims = true});
  const Tensor limited = maximum(squares, epsilon), inverse = rsqrt(limited);
  const Tensor along = sum(g * x, axis, {.keep_dims = true}) / limited;
  b.give("x", (g - x * where(greater(squares, epsilon), along, 0)) * inverse);
  return true;
}

/// y = x max_norm / max(n, max_norm), which passes nothing to n up to max_norm.
bool clip_by_norm(Backprop& b) {
  const Tensor x = b.input("x"), g = b.gradient();
  const double most = b.attribute("max_norm").toDouble();
  const Tensor length = norm(x), limited = maximum(length, most);
  const Tensor along = sum(g * x) / square(limited);
  b.give("x", (g - x * where(greater(length, most), along, 0)) * (most / limited));
  return true;
}

/// Nothing where all are zeros.
bool global_norm(Backprop& b) {
  const Tensor along = where(equal(b.output(), 0), 0, b.gradient() / b.output());
  for (size_t i = 0; i < b.node().inputs().size(); ++i) b.give(i, b.node().inputs()[i] * along);
  return true;
}

std::vector<Tensor> group_norm_form(const Node& node, const std::vector<Tensor>& inputs) {
  if (c10::multiply_integers(inputs[0].shape()) == 0) return {};
  return {call_multi("belfry::group_norm_with_statistics", inputs, OpParts(node).attributes, node.name())[0]};
}

/// That of one group of one pixel.
std::vector<Tensor> layer_norm_form(const Node& node, const std::vector<Tensor>& inputs) {
  const Tensor& x = inputs[0];
  const int64_t elements = c10::multiply_integers(x.shape());
  if (elements == 0) return {};
  const int64_t features = c10::multiply_integers(node.attribute("normalized_shape").toIntVector());
  const auto parameter = [&](const Tensor& tensor) {
    return tensor.defined() && tensor.rank() != 1 ? reshape(tensor, {features}) : tensor;
  };
  const Shape rows = {elements / features, features};
  const Tensor y =
      call_multi("belfry::group_norm_with_statistics",
                 {x.shape() == rows ? x : reshape(x, rows), parameter(inputs[1]), parameter(inputs[2])},
                 {{"groups", 1}, {"epsilon", node.attribute("eps").toDouble()}}, node.name())[0];
  return {x.shape() == rows ? y : reshape(y, x.shape())};
}

}  // namespace

void add_normalization_derivatives(DerivativeRules& rules) {
  rules["belfry::batch_norm_training"] = batch_norm_training;
  rules["belfry::batch_norm"] = batch_norm;
  rules["belfry::group_norm"].form = group_norm_form;
  rules["belfry::group_norm_with_statistics"] = group_norm;
  rules["aten::layer_norm"].form = layer_norm_form;
  rules["belfry::local_response_normalization"] = local_response_normalization;
  rules["belfry::l2_normalize"] = l2_normalize;
  rules["belfry::clip_by_norm"] = clip_by_norm;
  rules["belfry::global_norm"] = global_norm;
}

}  // namespace belfry::internal
