#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "belfry/graph/variable.h"

namespace belfry {

// First values of variables, for VariableOptions::initializer. Numbers are drawn by the functions of
// random.h: the same graph seed, or the same `seed` here, gives the same values.

struct InitializerOptions {
  std::optional<int64_t> seed = {};
};

Initializer zeros_initializer();
Initializer ones_initializer();
Initializer constant_initializer(double value);
/// Values of the variable's own shape.
Initializer constant_initializer(const at::Tensor& value);
Initializer random_uniform_initializer(double low = -0.05, double high = 0.05,
                                       const InitializerOptions& options = {});
Initializer random_normal_initializer(double mean = 0, double stddev = 0.05,
                                      const InitializerOptions& options = {});
Initializer truncated_normal_initializer(double mean = 0, double stddev = 0.05,
                                         const InitializerOptions& options = {});

enum class FanMode { kIn, kOut, kAverage };
enum class Distribution { kTruncatedNormal, kUntruncatedNormal, kUniform };
struct VarianceScalingOptions {
  double scale = 1.0;
  FanMode mode = FanMode::kIn;
  Distribution distribution = Distribution::kTruncatedNormal;
  std::optional<int64_t> seed = {};
};
/// Variance scale / fan. Fans are TensorFlow's: of a shape [..., I, O], I and O times the product of the
/// sizes before them. The truncated normal is widened so that its variance after truncation is the one asked
/// for.
Initializer variance_scaling_initializer(const VarianceScalingOptions& options = {});

/// Uniform within sqrt(6 / (fan in + fan out)).
Initializer glorot_uniform_initializer(const InitializerOptions& options = {});
Initializer glorot_normal_initializer(const InitializerOptions& options = {});
/// Truncated normal of variance 2 / fan in.
Initializer he_normal_initializer(const InitializerOptions& options = {});
Initializer he_uniform_initializer(const InitializerOptions& options = {});
/// Of a shape [..., O]: a matrix of O columns whose rows or columns, the fewer, are orthonormal, times
/// `gain`.
Initializer orthogonal_initializer(double gain = 1.0, const InitializerOptions& options = {});

}  // namespace belfry
