#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/rand_like.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/variable.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"

namespace belfry::test {

/// The same up to rounding: no number differs by more than `part` of the largest, or of 3e-2 where all are
/// smaller: they are what is left of sums that cancel. What is NaN or infinite is so in both.
inline testing::AssertionResult same_up_to_rounding(const at::Tensor& actual, const at::Tensor& expected,
                                                    double part) {
  if (actual.defined() != expected.defined())
    return testing::AssertionFailure() << "only one of the two has a value";
  if (!actual.defined()) return testing::AssertionSuccess();
  if (actual.sizes() != expected.sizes() || actual.scalar_type() != expected.scalar_type())
    return testing::AssertionFailure() << "the shapes or dtypes differ";
  if (actual.numel() == 0) return testing::AssertionSuccess();
  const at::Tensor a = actual.to(at::kDouble), e = expected.to(at::kDouble);
  const at::Tensor same = (a == e).logical_or(at::isnan(a).logical_and(at::isnan(e)));
  const at::Tensor finite = e.nan_to_num(0, 0, 0);
  const double largest = finite.abs().max().item<double>();
  const at::Tensor error = (a - e).abs().masked_fill(same, 0).nan_to_num(1e300);
  const double worst = error.max().item<double>();
  if (worst <= part * std::max(largest, 3e-2)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format("an error of {:.3g}, with numbers up to {:.3g}", worst,
                                                    largest);
}

/// Two sessions of one graph, with the same values: one runs a step by its plan, the other compiled. The
/// graph has a seed, so that both draw the same numbers.
class Twins {
 public:
  Twins(const Graph& graph, const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches,
        const StepOptions& options = {})
      : planned(graph), compiled(graph), names_(fetches), graph_(graph) {
    for (Session* session : {&planned, &compiled}) session->initialize_variables();
    copy_variables();
    const std::vector<Fetch> fed(feeds.begin(), feeds.end()), fetched(fetches.begin(), fetches.end());
    by_plan = planned.make_callable(fed, fetched);
    step = compile_step(compiled, fed, fetched, options);
  }

  /// Both take a step; the compiled one's results must be the plan's.
  void take_step(const std::vector<at::Tensor>& feeds, double part) {
    const auto expected = by_plan(feeds);
    const auto results = (*step)(feeds);
    ASSERT_EQ(results.size(), expected.size());
    for (size_t i = 0; i < results.size(); ++i)
      EXPECT_TRUE(same_up_to_rounding(results[i], expected[i], part)) << names_[i].name();
  }

  void expect_same_variables(double part) const {
    for (const auto& record : graph_.variables()) {
      const Variable variable(record.get());
      EXPECT_TRUE(same_up_to_rounding(compiled.value(variable), planned.value(variable), part))
          << variable.name();
    }
  }

  /// The compiled one goes on from where the plan stands.
  void copy_variables() {
    for (const auto& record : graph_.variables())
      compiled.set_value(Variable(record.get()), planned.value(Variable(record.get())));
  }

  /// Adds numbers up to `largest` to trainable variables, which often begin with zeros.
  void shake_variables(double largest) {
    for (const Variable& variable : variables_in(graph_, kTrainableVariables)) {
      const at::Tensor value = planned.value(variable);
      planned.set_value(variable, value + (at::rand_like(value) * 2 - 1) * largest);
    }
    copy_variables();
  }

  void expect_compiled() const { EXPECT_TRUE(step->is_compiled()) << step->describe(); }

  Session planned, compiled;
  Callable by_plan;
  std::optional<CompiledStep> step;

 private:
  std::vector<Tensor> names_;
  const Graph& graph_;
};

}  // namespace belfry::test
