#include "belfry/optim/decay.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"

// The formulas, and the order of their operations in float32, are TensorFlow's
// (python/keras/optimizers/schedules/learning_rate_schedule.py).

namespace belfry {
namespace {

std::string name_or(const std::string& name, const char* usual) {
  return name.empty() ? usual : name;
}

Tensor as_float(const char* who, const Tensor& step) {
  if (!step || step.rank() != 0) {
    throw UsageError(
        fmt::format("[{}] expected a step without dimensions, got {}", who, step ? describe(step) : "none"));
  }
  return cast(step, kFloat32);
}

void check_positive(const char* who, const char* what, double number) {
  if (!(number > 0)) throw UsageError(fmt::format("[{}] expected a positive {}, got {}", who, what, number));
}

/// The share of decay_steps that is done.
Tensor periods(const char* who, const Tensor& step, const ExponentialDecayOptions& options) {
  check_positive(who, ".decay_steps", options.decay_steps);
  const Tensor done = as_float(who, step) / options.decay_steps;
  return options.staircase ? floor(done) : done;
}

/// `share` of half a period of the cosine: from 1 to alpha.
Tensor cosine(const Tensor& share, double alpha) {
  return (1 - alpha) * (0.5 * (1.0 + cos(std::numbers::pi * share))) + alpha;
}

}  // namespace

Tensor exponential_decay(double rate, const Tensor& step, const ExponentialDecayOptions& options,
                         const std::string& name) {
  constexpr char who[] = "exponential_decay";
  const NameScope scope(name_or(name, who));
  check_positive(who, ".decay_rate", options.decay_rate);
  return rate * pow(options.decay_rate, periods(who, step, options));
}

Tensor natural_exp_decay(double rate, const Tensor& step, const ExponentialDecayOptions& options,
                         const std::string& name) {
  constexpr char who[] = "natural_exp_decay";
  const NameScope scope(name_or(name, who));
  return rate * exp(-options.decay_rate * periods(who, step, options));
}

Tensor inverse_time_decay(double rate, const Tensor& step, const ExponentialDecayOptions& options,
                          const std::string& name) {
  constexpr char who[] = "inverse_time_decay";
  const NameScope scope(name_or(name, who));
  return divide(constant(rate), 1.0 + options.decay_rate * periods(who, step, options));
}

Tensor piecewise_constant(const Tensor& step, const std::vector<int64_t>& boundaries,
                          const std::vector<double>& values, const std::string& name) {
  constexpr char who[] = "piecewise_constant";
  const NameScope scope(name_or(name, who));
  if (values.size() != boundaries.size() + 1) {
    throw UsageError(fmt::format("[{}] expected one value more than boundaries, got {} and {}", who,
                                 values.size(), boundaries.size()));
  }
  for (size_t i = 1; i < boundaries.size(); ++i) {
    if (boundaries[i] <= boundaries[i - 1]) {
      throw UsageError(fmt::format("[{}] expected boundaries that rise, got {} before {}", who,
                                   boundaries[i - 1], boundaries[i]));
    }
  }
  as_float(who, step);
  Tensor value = constant(values.back(), kFloat32);
  for (size_t i = boundaries.size(); i-- > 0;)
    value = where(less_equal(step, boundaries[i]), constant(values[i], kFloat32), value);
  return value;
}

Tensor polynomial_decay(double rate, const Tensor& step, const PolynomialDecayOptions& options,
                        const std::string& name) {
  constexpr char who[] = "polynomial_decay";
  const NameScope scope(name_or(name, who));
  check_positive(who, ".decay_steps", options.decay_steps);
  const Tensor now = as_float(who, step);
  Tensor share;
  if (options.cycle) {
    const Tensor cycles = maximum(ceil(now / options.decay_steps), 1.0);
    share = divide(now, options.decay_steps * cycles);
  } else {
    share = minimum(now, options.decay_steps) / options.decay_steps;
  }
  return (rate - options.end_learning_rate) * pow(1.0 - share, options.power) + options.end_learning_rate;
}

Tensor cosine_decay(double rate, const Tensor& step, const CosineDecayOptions& options,
                    const std::string& name) {
  constexpr char who[] = "cosine_decay";
  const NameScope scope(name_or(name, who));
  check_positive(who, ".decay_steps", options.decay_steps);
  const Tensor share = minimum(as_float(who, step), options.decay_steps) / options.decay_steps;
  return rate * cosine(share, options.alpha);
}

Tensor cosine_decay_restarts(double rate, const Tensor& step, const CosineDecayRestartsOptions& options,
                             const std::string& name) {
  constexpr char who[] = "cosine_decay_restarts";
  const NameScope scope(name_or(name, who));
  check_positive(who, ".first_decay_steps", options.first_decay_steps);
  check_positive(who, ".m_mul", options.m_mul);
  if (!(options.t_mul >= 1))
    throw UsageError(fmt::format("[{}] expected .t_mul of at least 1, got {}", who, options.t_mul));
  const double t = options.t_mul;
  const Tensor done = as_float(who, step) / options.first_decay_steps;  // in first periods
  Tensor restarts, share;
  if (t == 1) {
    restarts = floor(done);
    share = done - restarts;
  } else {
    restarts = floor(log(1.0 - done * (1 - t)) / std::log(t));
    const Tensor begin = (1.0 - pow(t, restarts)) / (1 - t);  // of this period
    share = (done - begin) / pow(t, restarts);
  }
  const Tensor peak = pow(options.m_mul, restarts);
  const Tensor wave = 0.5 * peak * (1.0 + cos(std::numbers::pi * share));
  return rate * ((1 - options.alpha) * wave + options.alpha);
}

Tensor linear_warmup(const Tensor& rate, const Tensor& step, const WarmupOptions& options,
                     const std::string& name) {
  constexpr char who[] = "linear_warmup";
  const NameScope scope(name_or(name, who));
  check_positive(who, ".warmup_steps", options.warmup_steps);
  if (!(options.start_factor >= 0 && options.start_factor <= 1))
    throw UsageError(fmt::format("[{}] expected .start_factor in [0, 1], got {}", who, options.start_factor));
  if (!rate || rate.rank() != 0)
    throw UsageError(fmt::format("[{}] expected a scalar rate, got {}", who, rate ? describe(rate) : "none"));
  const Tensor share = minimum(as_float(who, step) / options.warmup_steps, 1.0);
  return rate * (options.start_factor + (1 - options.start_factor) * share);
}

Tensor linear_warmup(double rate, const Tensor& step, const WarmupOptions& options, const std::string& name) {
  return linear_warmup(constant(rate, kFloat32), step, options, name);
}

}  // namespace belfry
