#include "belfry/graph/gradient_override.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/internal/build_context.h"

namespace belfry {
namespace {

void enter(std::string op, OperatorGradient gradient) {
  if (!gradient) throw UsageError(fmt::format("[GradientOverride {}] expected a gradient, got null", op));
  const auto dot = op.find('.');
  const bool known = std::ranges::any_of(c10::Dispatcher::singleton().getAllOpNames(), [&](const auto& name) {
    return name.name == op.substr(0, dot) && (dot == std::string::npos || c10::toString(name) == op);
  });
  if (!known)
    throw UsageError(fmt::format(
        "[GradientOverride] expected the name of an operator, got '{}', which no library registers", op));
  auto& context = internal::build_context();
  context.gradients = std::make_shared<const internal::GradientInScope>(
      internal::GradientInScope{std::move(op), std::move(gradient), context.gradients});
}

}  // namespace

GradientOverride::GradientOverride(std::string op, OperatorGradient gradient) {
  enter(std::move(op), std::move(gradient));
}

GradientOverride::GradientOverride(const std::vector<std::string>& ops, const OperatorGradient& gradient) {
  for (const std::string& op : ops) enter(op, gradient);
}

OperatorGradient overridden_gradient(const std::string& op) {
  const std::string without_overload = op.substr(0, op.find('.'));
  for (const auto* scope = internal::build_context().gradients.get(); scope; scope = scope->outer.get()) {
    if (scope->op == op || scope->op == without_overload) return scope->gradient;
  }
  return nullptr;
}

}  // namespace belfry
