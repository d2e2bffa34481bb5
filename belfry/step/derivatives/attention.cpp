#include <cmath>

#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Attention in the two forms that keep what their derivatives need, and softmax.

namespace belfry::internal {
namespace {

/// Weights of more bytes than this are not kept: they are computed again in the backward pass.
constexpr int64_t kMaxWeights = 64 << 20;

Attributes how(const Backprop& b) {
  return {{"is_causal", b.attribute("is_causal").toBool()}, {"scale", b.attribute("scale").toDouble()}};
}

bool attention_weights(Backprop& b) {
  const double scale = b.attribute("scale").toDouble();
  if (!b.wants("mask")) {
    b.give("scores",
           call("belfry::softmax_backprop", {b.gradient(), b.output()}, {{"dim", -1}, {"scale", scale}}));
    return true;
  }
  const Tensor by_sum = call("belfry::softmax_backprop", {b.gradient(), b.output()}, {{"dim", -1}});
  b.give("mask", by_sum);
  if (b.wants("scores")) b.give("scores", by_sum * scale);
  return true;
}

bool attention_with_sums(Backprop& b) {
  b.refuse_further_gradients();
  const auto gradients = call_multi(
      "belfry::attention_backprop",
      {b.gradient(), b.input("query"), b.input("key"), b.input("value"), b.output(0), b.output(1)}, how(b));
  b.give("query", gradients[0]);
  b.give("key", gradients[1]);
  b.give("value", gradients[2]);
  return true;
}

bool softmax(Backprop& b) {
  b.give("self",
         call("belfry::softmax_backprop", {b.gradient(), b.output()}, {{"dim", b.attribute("dim").toInt()}}));
  return true;
}

bool log_softmax(Backprop& b) {
  b.give("self", call("belfry::log_softmax_backprop", {b.gradient(), b.output()},
                      {{"dim", b.attribute("dim").toInt()}}));
  return true;
}

/// Of query, key, value, and the mask or none.
std::vector<Tensor> attention_form(const Node& node, const std::vector<Tensor>& inputs) {
  const Tensor &query = inputs[0], &key = inputs[1], &value = inputs[2], &mask = inputs[3];
  const bool is_causal = node.attribute("is_causal").toBool();
  if (node.attribute("dropout_p").toDouble() != 0 || node.attribute("enable_gqa").toBool() ||
      (mask.defined() && is_causal) || query.rank() < 2 || query.rank() != key.rank())
    return {};
  const int64_t elements = c10::multiply_integers(query.shape()) / std::max<int64_t>(query.dim(-1), 1);
  const c10::IValue& given = node.attribute("scale");
  const double scale =
      given.isNone() ? 1 / std::sqrt(static_cast<double>(query.dim(-1))) : given.toScalar().toDouble();
  const Attributes attributes = {{"is_causal", is_causal}, {"scale", scale}};
  const bool large =
      elements * key.dim(-2) * static_cast<int64_t>(c10::elementSize(query.dtype())) > kMaxWeights;
  if (large && !mask.defined() && query.rank() == 4 && query.dtype() == key.dtype() &&
      query.dtype() == value.dtype() && key.shape() == value.shape() && query.dim(0) == key.dim(0) &&
      query.dim(1) == key.dim(1) && query.dim(-1) == value.dim(-1))
    return {call_multi("belfry::attention_with_sums", {query, key, value}, attributes, node.name())[0]};
  const Tensor scores = matmul(query, key, {.transpose_b = true}, node.name() + "_scores");
  const Tensor weights =
      call("belfry::attention_weights", {scores, mask}, attributes, node.name() + "_weights");
  return {matmul(weights, value, node.name())};
}

}  // namespace

void add_attention_derivatives(DerivativeRules& rules) {
  rules["aten::scaled_dot_product_attention"].form = attention_form;
  rules["belfry::attention_weights"] = attention_weights;
  rules["belfry::attention_with_sums"] = attention_with_sums;
  rules["aten::softmax.int"] = softmax;
  rules["aten::log_softmax.int"] = log_softmax;
}

}  // namespace belfry::internal
