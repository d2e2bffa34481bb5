#include "belfry/optim/gradient_processor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/library.h>

#include <algorithm>
#include <regex>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/optim/proxy_optimizer.h"

// Steps between an optimizer's two halves, compute_gradients and apply_gradients, each of which takes the
// list of gradients and gives another, as tensorpack's (tfutils/gradproc.py). They add nodes under a scope
// of their name; nothing here runs at a step but the operator check_finite.
namespace belfry {
namespace {

std::regex parse_regex(const std::string& who, const std::string& regex) {
  try {
    return std::regex(regex);
  } catch (const std::regex_error& e) {
    throw UsageError(fmt::format("[{}] expected a regular expression, got '{}': {}", who, regex, e.what()));
  }
}

at::Tensor check_finite(const at::Tensor& x, c10::string_view who) {
  if (!at::isfinite(x).all().item<bool>()) {
    throw UsageError(fmt::format("[{}] expected finite values, got inf or nan", std::string_view(who)));
  }
  return x;
}

/// The gradient of `variable` under the first pattern that matches its whole name.
Tensor scale(const std::vector<std::pair<std::regex, double>>& multipliers, GradientLogOptions options,
             const Tensor& gradient, const Variable& variable) {
  for (const auto& [regex, multiplier] : multipliers) {
    if (!std::regex_match(variable.name(), regex)) continue;
    if (options.verbose) log_info("The gradient of '{}' is multiplied by {}", variable.name(), multiplier);
    return multiplier == 0 ? Tensor() : gradient * multiplier;
  }
  return gradient;
}

class ProcessingOptimizer : public ProxyOptimizer {
 public:
  ProcessingOptimizer(std::unique_ptr<Optimizer> optimizer, GradientProcessors processors)
      : ProxyOptimizer(std::move(optimizer)), processors_(std::move(processors)) {}

  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override {
    GradientsAndVariables processed = options.combine ? options.combine(gradients) : gradients;
    for (const auto& processor : processors_) processed = processor->process(processed);
    return inner().apply_gradients(processed, {.global_step = options.global_step, .name = options.name});
  }

 private:
  GradientProcessors processors_;
};

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("check_finite(Tensor(a) x, str who) -> Tensor(a)");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("check_finite", check_finite);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("check_finite", [](const at::Tensor& x, c10::string_view) { return x; });
}

GradientsAndVariables GradientProcessor::process(const GradientsAndVariables& gradients) const {
  NameScope scope(name());
  return process_gradients(gradients);
}

GradientsAndVariables FilterNoneGrad::process_gradients(const GradientsAndVariables& gradients) const {
  GradientsAndVariables kept;
  std::vector<std::string> dropped;
  for (const auto& pair : gradients) {
    if (pair.gradient.defined()) {
      kept.push_back(pair);
    } else {
      dropped.push_back(pair.variable.name());
    }
  }
  if (options_.verbose && !dropped.empty()) {
    log_warning("No gradient w.r.t. {} trainable variables: {}", dropped.size(), fmt::join(dropped, ", "));
  }
  return kept;
}

GlobalNormClip::GlobalNormClip(double max_norm) : max_norm_(max_norm) {
  if (!(max_norm > 0)) {
    throw UsageError(fmt::format("[GlobalNormClip] expected a positive norm, got {}", max_norm));
  }
}

GradientsAndVariables GlobalNormClip::process_gradients(const GradientsAndVariables& gradients) const {
  std::vector<Tensor> tensors;
  for (const auto& pair : gradients) tensors.push_back(pair.gradient);
  const std::vector<Tensor> clipped = clip_by_global_norm(tensors, max_norm_).first;
  GradientsAndVariables result;
  for (size_t i = 0; i < clipped.size(); ++i) result.push_back({clipped[i], gradients[i].variable});
  return result;
}

MapGradient::MapGradient(Function function, std::string regex)
    : function_(std::move(function)), regex_(std::move(regex)) {
  if (!function_) throw UsageError("[MapGradient] expected a function, got none");
  parse_regex("MapGradient", regex_);
}

GradientsAndVariables MapGradient::process_gradients(const GradientsAndVariables& gradients) const {
  const std::regex pattern = parse_regex(name(), regex_);
  GradientsAndVariables result;
  bool matched = false;
  for (const auto& [gradient, variable] : gradients) {
    if (!gradient.defined() || !std::regex_match(variable.name(), pattern)) {
      result.push_back({gradient, variable});
      continue;
    }
    matched = true;
    if (Tensor mapped = function_(gradient, variable)) result.push_back({mapped, variable});
  }
  if (!matched) log_warning("[{}] no variable matches '{}'", name(), regex_);
  return result;
}

ScaleGradient::ScaleGradient(const Multipliers& multipliers, GradientLogOptions options)
    : MapGradient([patterns =
                       [&] {
                         std::vector<std::pair<std::regex, double>> parsed;
                         for (const auto& [regex, multiplier] : multipliers)
                           parsed.emplace_back(parse_regex("ScaleGradient", regex), multiplier);
                         return parsed;
                       }(),
                   options](const Tensor& gradient, const Variable& variable) {
        return scale(patterns, options, gradient, variable);
      }) {}

CheckGradient::CheckGradient()
    : MapGradient([](const Tensor& gradient, const Variable& variable) {
        return call("belfry::check_finite", {gradient}, {{"who", "CheckGradient " + variable.name()}});
      }) {}

std::unique_ptr<Optimizer> apply_grad_processors(std::unique_ptr<Optimizer> optimizer,
                                                 GradientProcessors processors) {
  if (!optimizer) throw UsageError("[apply_grad_processors] expected an optimizer, got null");
  if (std::find(processors.begin(), processors.end(), nullptr) != processors.end()) {
    throw UsageError("[apply_grad_processors] expected gradient processors, got null among them");
  }
  return std::make_unique<ProcessingOptimizer>(std::move(optimizer), std::move(processors));
}

}  // namespace belfry
