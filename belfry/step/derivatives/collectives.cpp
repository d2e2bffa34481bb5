#include "belfry/ops/call.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of what processes compute together, of the sum of the losses of all: collectives again.

namespace belfry::internal {
namespace {

bool all_reduce(Backprop& b) {
  const std::string op = b.attribute("op").toStringRef();
  if (op != "sum" && op != "mean") return false;
  b.give("x", call("belfry::all_reduce", {b.gradient()}, {{"op", op}}));
  return true;
}

bool all_gather(Backprop& b) {
  b.give("x", call("belfry::reduce_scatter", {b.gradient()}));
  return true;
}

bool reduce_scatter(Backprop& b) {
  if (b.attribute("op").toStringRef() != "sum") return false;
  b.give("x", call("belfry::all_gather", {b.gradient()}));
  return true;
}

}  // namespace

void add_collective_derivatives(DerivativeRules& rules) {
  rules["belfry::all_reduce"] = all_reduce;
  rules["belfry::all_gather"] = all_gather;
  rules["belfry::reduce_scatter"] = reduce_scatter;
}

}  // namespace belfry::internal
