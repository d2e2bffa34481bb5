#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"
#include "belfry/step/internal/derivative_rules.h"

// Recurrent layers, and CTC. An LSTM of few steps becomes ordinary nodes; where sequences have lengths, and
// for the GRU, the form is the operator that keeps its gates, and the derivative one operator too.

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

/// More steps than these stay one operator: the graph grows with each.
constexpr int64_t kMostSteps = 256;

/// `bias`, with `forget_bias` added to the gate of that.
Tensor with_forget_bias(const Tensor& bias, double forget_bias) {
  if (forget_bias == 0) return bias;
  const auto size = static_cast<size_t>(bias.dim(0));
  std::vector<double> added(size, 0.0);
  std::fill_n(added.begin() + static_cast<std::ptrdiff_t>(size / 2), size / 4, forget_bias);
  return bias + constant(added, {bias.dim(0)}, bias.dtype());
}

/// Step by step in ordinary nodes, which programs run on packed weights and fuse.
std::vector<Tensor> unrolled_lstm(const Node& node, const std::vector<Tensor>& inputs) {
  const Tensor &x = inputs[0], &kernel = inputs[1];
  const int64_t time = x.dim(0), batch = x.dim(1), channels = x.dim(2), columns = kernel.dim(1);
  const Tensor bias = with_forget_bias(inputs[2], node.attribute("forget_bias").toDouble());
  const Tensor by_input = slice(kernel, {0, 0}, {channels, -1});
  const Tensor by_state = slice(kernel, {channels, 0}, {columns / 4, -1});
  const Tensor products = matmul(reshape(x, {time * batch, channels}), by_input) + bias;
  const auto steps = unstack(reshape(products, {time, batch, columns}));
  const bool reverse = node.attribute("reverse").toBool();
  Tensor cell = inputs[3], output = inputs[4];
  std::vector<Tensor> outputs(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t t = reverse ? steps.size() - 1 - i : i;
    const auto gates = split(output ? steps[t] + matmul(output, by_state) : steps[t], 4, /*axis=*/1);
    const Tensor write = sigmoid(gates[0]) * tanh(gates[1]);
    cell = cell ? sigmoid(gates[2]) * cell + write : write;
    outputs[t] = output = sigmoid(gates[3]) * tanh(cell);
  }
  return {stack(outputs), cell, output};
}

std::vector<Tensor> lstm_form(const Node& node, const std::vector<Tensor>& inputs) {
  const int64_t time = inputs[0].dim(0);
  if (!inputs[5].defined() && time > 0 && time <= kMostSteps) return unrolled_lstm(node, inputs);
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
