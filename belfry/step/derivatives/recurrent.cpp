#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/ops/call.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Recurrent layers in the form that keeps its gates, of which the derivative is one operator, and CTC.

namespace belfry::internal {
namespace {

Attributes order(const Node& node) {
  return {{"reverse", node.attribute("reverse").toBool()}};
}

/// Throws where a gradient by the tensors that are kept for the derivative is wanted.
void refuse_gradients_from(const Backprop& b, int first) {
  for (size_t i = static_cast<size_t>(first); i < b.node().outputs().size(); ++i) {
    if (!b.gradient(static_cast<int>(i)).defined()) continue;
    throw UsageError(
        fmt::format("[differentiate] expected no gradient by the gates of '{}'", b.node().name()));
  }
}

/// Of a derivative: there is none of second order.
bool refuse(Backprop& b) {
  throw UsageError(fmt::format("[differentiate] expected a first derivative, got the second one of '{}'",
                               b.node().name()));
}

std::vector<Tensor> lstm_form(const Node& node, const std::vector<Tensor>& inputs) {
  Attributes attributes = order(node);
  attributes.emplace_back("forget_bias", node.attribute("forget_bias").toDouble());
  auto results = call_multi("belfry::lstm_with_gates", inputs, attributes, node.name());
  results.resize(3);
  return results;
}

bool lstm(Backprop& b) {
  refuse_gradients_from(b, 3);
  const auto gradients = call_multi(
      "belfry::lstm_backprop",
      {b.gradient(0), b.gradient(1), b.gradient(2), b.input("x"), b.input("kernel"), b.input("first_cell"),
       b.input("first_output"), b.input("lengths"), b.output(0), b.output(3), b.output(4)},
      order(b.node()));
  b.give("x", gradients[0]);
  b.give("kernel", gradients[1]);
  b.give("bias", gradients[2]);
  b.give("first_cell", gradients[3]);
  b.give("first_output", gradients[4]);
  return true;
}

std::vector<Tensor> gru_form(const Node& node, const std::vector<Tensor>& inputs) {
  auto results = call_multi("belfry::gru_with_gates", inputs, order(node), node.name());
  results.resize(2);
  return results;
}

bool gru(Backprop& b) {
  refuse_gradients_from(b, 2);
  const auto gradients = call_multi(
      "belfry::gru_backprop",
      {b.gradient(0), b.gradient(1), b.input("x"), b.input("gates_kernel"), b.input("candidate_kernel"),
       b.input("first"), b.input("lengths"), b.output(0), b.output(2), b.output(3)},
      order(b.node()));
  b.give("x", gradients[0]);
  b.give("gates_kernel", gradients[1]);
  b.give("gates_bias", gradients[2]);
  b.give("candidate_kernel", gradients[3]);
  b.give("candidate_bias", gradients[4]);
  b.give("first", gradients[5]);
  return true;
}

bool ctc_loss(Backprop& b) {
  const bool ignores = b.attribute("ignore_longer_outputs_than_inputs").toBool();
  b.give("logits", call("belfry::ctc_loss_backprop",
                        {b.gradient(), b.input("logits"), b.input("labels"), b.input("label_length"),
                         b.input("sequence_length")},
                        {{"ignore_longer_outputs_than_inputs", ignores}}));
  return true;
}

}  // namespace

void add_recurrent_derivatives(DerivativeRules& rules) {
  rules["belfry::lstm"].form = lstm_form;
  rules["belfry::lstm_with_gates"] = lstm;
  rules["belfry::lstm_backprop"] = refuse;
  rules["belfry::gru"].form = gru_form;
  rules["belfry::gru_with_gates"] = gru;
  rules["belfry::gru_backprop"] = refuse;
  rules["belfry::ctc_loss"] = ctc_loss;
  rules["belfry::ctc_loss_backprop"] = refuse;
}

}  // namespace belfry::internal
