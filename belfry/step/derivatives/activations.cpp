#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of activations, mostly by the operators with which ATen computes them. Where the derivative can
// be told from the output, it is: the input's memory is then free after the forward pass, and an activation
// may be computed inside of the operator before it.

namespace belfry::internal {
namespace {

bool relu(Backprop& b) {
  b.give("self", call("aten::threshold_backward", {b.gradient(), b.output()}, {{"threshold", 0}}));
  return true;
}

/// Of what comes out, which tells as much of the limits as what goes in, and lets go of that.
bool relu6(Backprop& b) {
  b.give("self",
         call("aten::hardtanh_backward", {b.gradient(), b.output()}, {{"min_val", 0}, {"max_val", 6}}));
  return true;
}

bool leaky_relu(Backprop& b) {
  b.give("self", call("aten::leaky_relu_backward", {b.gradient(), b.input("self")},
                      {{"negative_slope", b.number("negative_slope")}, {"self_is_result", false}}));
  return true;
}

bool gelu(Backprop& b) {
  b.give("self", call("aten::gelu_backward", {b.gradient(), b.input("self")},
                      {{"approximate", b.attribute("approximate").toStringRef()}}));
  return true;
}

bool silu(Backprop& b) {
  b.give("self", call("aten::silu_backward", {b.gradient(), b.input("self")}));
  return true;
}

bool elu(Backprop& b) {
  b.give("self", call("aten::elu_backward", {b.gradient()},
                      {{"alpha", b.number("alpha")},
                       {"scale", b.number("scale")},
                       {"input_scale", b.number("input_scale")},
                       {"is_result", false},
                       {"self_or_result", b.input("self")}}));
  return true;
}

bool hardswish(Backprop& b) {
  b.give("self", call("aten::hardswish_backward", {b.gradient(), b.input("self")}));
  return true;
}

bool softplus(Backprop& b) {
  b.give("self", call("aten::softplus_backward", {b.gradient(), b.input("self")},
                      {{"beta", b.number("beta")}, {"threshold", b.number("threshold")}}));
  return true;
}

bool sigmoid(Backprop& b) {
  b.give("self", call("aten::sigmoid_backward", {b.gradient(), b.output()}));
  return true;
}

bool tanh(Backprop& b) {
  b.give("self", call("aten::tanh_backward", {b.gradient(), b.output()}));
  return true;
}

bool log_sigmoid(Backprop& b) {
  b.give("self", b.gradient() * belfry::sigmoid(-b.input("self")));
  return true;
}

/// x / (|x| + 1).
bool softsign(Backprop& b) {
  b.give("x", b.gradient() / square(abs(b.input("x")) + 1));
  return true;
}

}  // namespace

void add_activation_derivatives(DerivativeRules& rules) {
  rules["aten::relu"] = relu;
  rules["aten::relu6"] = relu6;
  rules["aten::leaky_relu"] = leaky_relu;
  rules["aten::gelu"] = gelu;
  rules["aten::silu"] = silu;
  rules["aten::elu"] = elu;
  rules["aten::hardswish"] = hardswish;
  rules["aten::softplus"] = softplus;
  rules["aten::sigmoid"] = sigmoid;
  rules["aten::tanh"] = tanh;
  rules["aten::log_sigmoid"] = log_sigmoid;
  rules["belfry::softsign"] = softsign;
}

}  // namespace belfry::internal
