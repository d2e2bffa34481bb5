#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

// Learning rates as functions of a step: float32 scalars to give to an optimizer, tf.compat.v1.train's of
// these names. `step` is a scalar of any real type, usually get_global_step(). Each throws UsageError for a
// step with dimensions and for numbers that make no sense.
//
//     Momentum({.learning_rate = exponential_decay(0.1, get_global_step(), {.decay_steps = 1000,
//                                                                           .decay_rate = 0.96})})

struct ExponentialDecayOptions {
  double decay_steps = 0;  ///< positive; must be given
  double decay_rate = 0;   ///< must be given
  bool staircase = false;  ///< only after whole decay_steps
};
/// rate * decay_rate ^ (step / decay_steps)
Tensor exponential_decay(double rate, const Tensor& step, const ExponentialDecayOptions& options,
                         const std::string& name = "");
/// rate * exp(-decay_rate * step / decay_steps)
Tensor natural_exp_decay(double rate, const Tensor& step, const ExponentialDecayOptions& options,
                         const std::string& name = "");
/// rate / (1 + decay_rate * step / decay_steps)
Tensor inverse_time_decay(double rate, const Tensor& step, const ExponentialDecayOptions& options,
                          const std::string& name = "");

/// values[0] up to boundaries[0], that step included, then values[1] up to boundaries[1], and so on: one
/// value more than boundaries, which rise.
Tensor piecewise_constant(const Tensor& step, const std::vector<int64_t>& boundaries,
                          const std::vector<double>& values, const std::string& name = "");

struct PolynomialDecayOptions {
  double decay_steps = 0;  ///< positive; must be given
  double end_learning_rate = 0.0001;
  double power = 1.0;
  /// Beyond decay_steps, goes on as with the next multiple of them; otherwise stays at the end.
  bool cycle = false;
};
/// (rate - end) * (1 - step / decay_steps) ^ power + end
Tensor polynomial_decay(double rate, const Tensor& step, const PolynomialDecayOptions& options,
                        const std::string& name = "");

struct CosineDecayOptions {
  double decay_steps = 0;  ///< positive; must be given
  double alpha = 0.0;      ///< the share of the rate that is left in the end
};
/// rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha), where step is at most decay_steps
Tensor cosine_decay(double rate, const Tensor& step, const CosineDecayOptions& options,
                    const std::string& name = "");

struct CosineDecayRestartsOptions {
  double first_decay_steps = 0;  ///< positive; must be given
  double t_mul = 2.0;            ///< each period is so many times as long as the one before; at least 1
  double m_mul = 1.0;            ///< and begins with so many times its rate
  double alpha = 0.0;
};
/// Cosine decays that begin anew at their ends ("SGDR", Loshchilov and Hutter).
Tensor cosine_decay_restarts(double rate, const Tensor& step, const CosineDecayRestartsOptions& options,
                             const std::string& name = "");

struct WarmupOptions {
  double warmup_steps = 0;  ///< positive; must be given
  double start_factor = 0;  ///< of step 0, in [0, 1]
};
/// `rate`, a scalar such as one of the above, times a factor that rises evenly from start_factor to 1 over
/// the first steps.
Tensor linear_warmup(const Tensor& rate, const Tensor& step, const WarmupOptions& options,
                     const std::string& name = "");
Tensor linear_warmup(double rate, const Tensor& step, const WarmupOptions& options,
                     const std::string& name = "");

}  // namespace belfry
