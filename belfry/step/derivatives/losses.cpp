#include <ATen/ExpandUtils.h>
#include <ATen/core/Reduction.h>

#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of losses, and of dropout.

namespace belfry::internal {
namespace {

/// The softmax less the label, for each sample times its gradient.
bool sparse_softmax_cross_entropy(Backprop& b) {
  b.give("logits", call("belfry::sparse_softmax_cross_entropy_backprop",
                        {b.gradient(), b.input("logits"), b.input("labels")}));
  return true;
}

/// -sum(labels log softmax): softmax sum(labels) - labels by the logits, and the log-softmax by the labels.
bool softmax_cross_entropy(Backprop& b) {
  const Tensor logits = b.input("logits"), labels = b.input("labels");
  const Tensor g = expand_dims(b.gradient(), -1);
  const Tensor total = call("aten::sum.dim_IntList", {labels}, {{"dim", {-1}}, {"keepdim", true}});
  b.give("logits", g * (softmax(logits, -1) * total - labels));
  b.give("labels", -(g * log_softmax(logits, -1)));
  return true;
}

bool l2_loss(Backprop& b) {
  b.give("x", b.gradient() * b.input("x"));
  return true;
}

/// What each element of a loss of `x` and `y`, which broadcast, adds to the gradient by the reduced loss.
Tensor by_element(const Backprop& b, const Tensor& x, const Tensor& y) {
  if (b.attribute("reduction").toInt() != at::Reduction::Mean) return b.gradient();
  const auto sizes = at::infer_size(x.shape(), y.shape());
  return b.gradient() / static_cast<double>(c10::multiply_integers(sizes));
}

bool squared_error(Backprop& b) {
  const Tensor x = b.input("self"), y = b.input("target");
  const Tensor by_x = (x - y) * (by_element(b, x, y) * 2);
  b.give("self", by_x);
  b.give("target", -by_x);
  return true;
}

bool absolute_difference(Backprop& b) {
  const Tensor x = b.input("self"), y = b.input("target");
  const Tensor by_x = sign(x - y) * by_element(b, x, y);
  b.give("self", by_x);
  b.give("target", -by_x);
  return true;
}

/// A square near 0, a line beyond delta: the difference itself, within limits.
bool huber(Backprop& b) {
  const Tensor x = b.input("self"), y = b.input("target");
  const double delta = b.attribute("delta").toDouble();
  const Tensor by_x = clip_by_value(x - y, -delta, delta) * by_element(b, x, y);
  b.give("self", by_x);
  b.give("target", -by_x);
  return true;
}

/// -(p z log(s(x)) + (1 - z) log(1 - s(x))) of the labels z, with s the sigmoid and p a weight of positive
/// ones: s(x) (p z + 1 - z) - p z by x, log(1 - s(x)) - p log(s(x)) by z, which is -x where p is 1.
bool sigmoid_cross_entropy(Backprop& b) {
  const Tensor x = b.input("self"), z = b.input("target"), positive = b.input("pos_weight");
  if (b.wants("weight") || b.wants("pos_weight")) return false;
  Tensor g = by_element(b, x, z);
  if (b.input("weight").defined()) g = g * b.input("weight");
  if (!positive.defined()) {
    b.give("self", g * (sigmoid(x) - z));
    b.give("target", -(g * x));
    return true;
  }
  const Tensor weighted = z * positive;
  b.give("self", g * (sigmoid(x) * (weighted + 1 - z) - weighted));
  if (b.wants("target")) b.give("target", g * (log_sigmoid(-x) - positive * log_sigmoid(x)));
  return true;
}

std::vector<Tensor> dropout_form(const Node& node, const std::vector<Tensor>& inputs) {
  return {call_multi("belfry::dropout_with_mask", inputs,
                     {{"rate", node.attribute("rate").toDouble()},
                      {"noise_shape", node.attribute("noise_shape").toIntVector()}},
                     node.name())[0]};
}

bool dropout(Backprop& b) {
  b.give("x", b.gradient() * b.output(1));
  return true;
}

}  // namespace

void add_loss_derivatives(DerivativeRules& rules) {
  rules["belfry::sparse_softmax_cross_entropy"] = sparse_softmax_cross_entropy;
  rules["belfry::softmax_cross_entropy"] = softmax_cross_entropy;
  rules["belfry::l2_loss"] = l2_loss;
  rules["aten::mse_loss"] = squared_error;
  rules["aten::l1_loss"] = absolute_difference;
  rules["aten::huber_loss"] = huber;
  rules["aten::binary_cross_entropy_with_logits"] = sigmoid_cross_entropy;
  rules["belfry::dropout"].form = dropout_form;
  rules["belfry::dropout_with_mask"] = dropout;
}

}  // namespace belfry::internal
