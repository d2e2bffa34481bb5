#include "belfry/ops/initializers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/random.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

/// TensorFlow's fans in and out. A list has its size as both, a scalar 1.
std::pair<double, double> fans(const Shape& shape) {
  if (shape.empty()) return {1, 1};
  const auto last = static_cast<double>(shape.back());
  if (shape.size() == 1) return {last, last};
  double receptive = 1;
  for (size_t i = 0; i + 2 < shape.size(); ++i) receptive *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[shape.size() - 2]) * receptive, last * receptive};
}

/// Standard deviation of the standard normal distribution cut at ±2.
constexpr double kTruncatedStddev = 0.87962566103423978;

Initializer scaled(double scale, FanMode mode, Distribution distribution, const InitializerOptions& options) {
  return variance_scaling_initializer(
      {.scale = scale, .mode = mode, .distribution = distribution, .seed = options.seed});
}

}  // namespace

Initializer zeros_initializer() {
  return [](const Shape& shape, DType dtype) { return zeros(shape, dtype); };
}
Initializer ones_initializer() {
  return [](const Shape& shape, DType dtype) { return ones(shape, dtype); };
}
Initializer constant_initializer(double value) {
  return [value](const Shape& shape, DType dtype) { return fill(shape, value, dtype); };
}
Initializer constant_initializer(const at::Tensor& value) {
  return [value = value.clone()](const Shape&, DType dtype) { return constant(value.to(dtype)); };
}
Initializer random_uniform_initializer(double low, double high, const InitializerOptions& options) {
  return [=](const Shape& shape, DType dtype) {
    return random_uniform(shape, low, high, {.dtype = dtype, .seed = options.seed});
  };
}
Initializer random_normal_initializer(double mean, double stddev, const InitializerOptions& options) {
  return [=](const Shape& shape, DType dtype) {
    return random_normal(shape, mean, stddev, {.dtype = dtype, .seed = options.seed});
  };
}
Initializer truncated_normal_initializer(double mean, double stddev, const InitializerOptions& options) {
  return [=](const Shape& shape, DType dtype) {
    return truncated_normal(shape, mean, stddev, {.dtype = dtype, .seed = options.seed});
  };
}

Initializer variance_scaling_initializer(const VarianceScalingOptions& options) {
  return [options](const Shape& shape, DType dtype) {
    const auto [in, out] = fans(shape);
    const double fan = options.mode == FanMode::kIn    ? in
                       : options.mode == FanMode::kOut ? out
                                                       : (in + out) / 2;
    const double variance = options.scale / std::max(1.0, fan);
    const RandomAttributes attributes = {.dtype = dtype, .seed = options.seed};
    switch (options.distribution) {
      case Distribution::kTruncatedNormal:
        return truncated_normal(shape, 0, std::sqrt(variance) / kTruncatedStddev, attributes);
      case Distribution::kUntruncatedNormal:
        return random_normal(shape, 0, std::sqrt(variance), attributes);
      case Distribution::kUniform:
        break;
    }
    const double limit = std::sqrt(3 * variance);
    return random_uniform(shape, -limit, limit, attributes);
  };
}

Initializer glorot_uniform_initializer(const InitializerOptions& options) {
  return scaled(1, FanMode::kAverage, Distribution::kUniform, options);
}
Initializer glorot_normal_initializer(const InitializerOptions& options) {
  return scaled(1, FanMode::kAverage, Distribution::kTruncatedNormal, options);
}
Initializer he_normal_initializer(const InitializerOptions& options) {
  return scaled(2, FanMode::kIn, Distribution::kTruncatedNormal, options);
}
Initializer he_uniform_initializer(const InitializerOptions& options) {
  return scaled(2, FanMode::kIn, Distribution::kUniform, options);
}

Initializer orthogonal_initializer(double gain, const InitializerOptions& options) {
  return [=](const Shape& shape, DType dtype) {
    std::optional<SeedScope> seed;
    if (options.seed) seed.emplace(static_cast<uint64_t>(*options.seed), SeedScope::Options{.exact = true});
    return call("belfry::orthogonal", {}, {{"shape", shape}, {"gain", gain}, {"dtype", dtype}});
  };
}

}  // namespace belfry
