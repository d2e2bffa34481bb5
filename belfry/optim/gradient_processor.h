#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "belfry/optim/optimizer.h"

namespace belfry {

/// Changes gradients before they are applied: clips, scales, drops, checks them.
class GradientProcessor {
 public:
  virtual ~GradientProcessor() = default;
  /// The pairs to apply instead. Its nodes are built under a scope named after the processor.
  GradientsAndVariables process(const GradientsAndVariables& gradients) const;
  virtual std::string name() const = 0;

 protected:
  virtual GradientsAndVariables process_gradients(const GradientsAndVariables& gradients) const = 0;
};

struct GradientLogOptions {
  /// Whether the log says what the processor did.
  bool verbose = true;
};

/// Drops the variables without a gradient, with a warning that lists them.
class FilterNoneGrad : public GradientProcessor {
 public:
  explicit FilterNoneGrad(GradientLogOptions options = {}) : options_(options) {}
  std::string name() const override { return "FilterNoneGrad"; }

 protected:
  GradientsAndVariables process_gradients(const GradientsAndVariables& gradients) const override;

 private:
  GradientLogOptions options_;
};

/// Scales all gradients by one factor, so that the norm of all of them together is at most `max_norm`, which
/// must be positive. A gradient that is not finite makes all of them NaN.
class GlobalNormClip : public GradientProcessor {
 public:
  explicit GlobalNormClip(double max_norm);
  std::string name() const override { return "GlobalNormClip"; }

 protected:
  GradientsAndVariables process_gradients(const GradientsAndVariables& gradients) const override;

 private:
  double max_norm_;
};

/// Replaces the gradients of the variables whose whole name matches `regex` (ECMAScript). A function that
/// returns none freezes the variable. Warns when no name matches.
class MapGradient : public GradientProcessor {
 public:
  using Function = std::function<Tensor(const Tensor& gradient, const Variable& variable)>;
  explicit MapGradient(Function function, std::string regex = ".*");
  /// A function of the gradient alone: `MapGradient([](const Tensor& g) { return clip_by_norm(g, 1); })`.
  template <typename F>
  requires(std::is_invocable_r_v<Tensor, const F&, const Tensor&> &&
           !std::is_invocable_v<const F&, const Tensor&,
                                const Variable&>) explicit MapGradient(F function, std::string regex = ".*")
      : MapGradient(Function([function = std::move(function)](const Tensor& gradient, const Variable&) {
                      return function(gradient);
                    }),
                    std::move(regex)) {}
  std::string name() const override { return "MapGradient"; }

 protected:
  GradientsAndVariables process_gradients(const GradientsAndVariables& gradients) const override;

 private:
  Function function_;
  std::string regex_;
};

/// Multiplies gradients by the number beside the first pattern (ECMAScript) that matches the variable's whole
/// name; 0 freezes it. `ScaleGradient({{".*/b", 2.0}, {"layer0/.*", 0.0}})` doubles the gradients of biases,
/// and freezes layer0. With gradient descent and momentum that doubles their learning rate too. Adam divides
/// by the size of past gradients, and takes the same steps as before: LearningRateMultipliers changes those
/// of every optimizer.
class ScaleGradient : public MapGradient {
 public:
  using Multipliers = std::vector<std::pair<std::string, double>>;
  explicit ScaleGradient(const Multipliers& multipliers, GradientLogOptions options = {});
  std::string name() const override { return "ScaleGradient"; }
};

/// Fails the step, naming the variable, when a gradient is not finite.
class CheckGradient : public MapGradient {
 public:
  CheckGradient();
  std::string name() const override { return "CheckGradient"; }
};

using GradientProcessors = std::vector<std::shared_ptr<const GradientProcessor>>;

/// An optimizer that computes gradients as `optimizer` does, and has them processed, in the order given,
/// before it applies them. Its name and slots are those of `optimizer`. Neither that nor a processor may be
/// null.
std::unique_ptr<Optimizer> apply_grad_processors(std::unique_ptr<Optimizer> optimizer,
                                                 GradientProcessors processors);

/// As above: `apply_grad_processors(std::make_unique<Adam>(options), GlobalNormClip(5), CheckGradient())`.
template <std::derived_from<GradientProcessor>... Processors>
std::unique_ptr<Optimizer> apply_grad_processors(std::unique_ptr<Optimizer> optimizer,
                                                 Processors... processors) {
  return apply_grad_processors(
      std::move(optimizer), GradientProcessors{std::make_shared<const Processors>(std::move(processors))...});
}

}  // namespace belfry
