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

bool mean_squared_error(Backprop& b) {
  constexpr int64_t kMean = 1;  // ATen's Reduction::Mean
  const Tensor x = b.input("self"), y = b.input("target");
  if (b.attribute("reduction").toInt() != kMean || x.shape() != y.shape()) return false;
  const Tensor by_x = (x - y) * (b.gradient() * (2 / static_cast<double>(c10::multiply_integers(x.shape()))));
  b.give("self", by_x);
  b.give("target", -by_x);
  return true;
}

/// Without weights: sigmoid(x) - label by x, and -x by the label.
bool sigmoid_cross_entropy(Backprop& b) {
  constexpr int64_t kNone = 0;  // ATen's Reduction::None
  if (b.attribute("reduction").toInt() != kNone || b.input("weight").defined() ||
      b.input("pos_weight").defined())
    return false;
  b.give("self", b.gradient() * (sigmoid(b.input("self")) - b.input("target")));
  b.give("target", -(b.gradient() * b.input("self")));
  return true;
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
  rules["aten::mse_loss"] = mean_squared_error;
  rules["aten::binary_cross_entropy_with_logits"] = sigmoid_cross_entropy;
  rules["belfry::dropout_with_mask"] = dropout;
}

}  // namespace belfry::internal
