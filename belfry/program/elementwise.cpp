#include "belfry/program/elementwise.h"

#include <algorithm>
#include <cmath>

#include "belfry/program/exponential.h"
#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

namespace belfry::internal {
namespace {

constexpr int64_t kElementsOfTask = 65536;

BELFRY_INLINE float sigmoid(float x) {
  return 1 / (1 + exponential(-x));
}

/// (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi), with the error function of Abramowitz and
/// Stegun, 7.1.26, whose error is below 1.5e-7.
BELFRY_INLINE float gelu_slope(float x) {
  constexpr float kHalfRoot = 0.70710678f, kDensity = 0.39894228f;
  const float bell = exponential(-0.5f * x * x), size = (x < 0 ? -x : x) * kHalfRoot;
  const float t = 1 / (1 + 0.3275911f * size);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float tail = 0.5f * p * t * bell;
  return (x < 0 ? tail : 1 - tail) + x * bell * kDensity;
}

template <ElementFunction f>
BELFRY_INLINE float apply(float a, float b) {
  using F = ElementFunction;
  if constexpr (f == F::kAbs) return std::fabs(a);
  if constexpr (f == F::kExp) return exponential(a);
  if constexpr (f == F::kNegative) return -a;
  if constexpr (f == F::kReciprocal) return 1 / a;
  if constexpr (f == F::kSquare) return a * a;
  if constexpr (f == F::kReluBackward) return b <= 0 ? 0 : a;
  if constexpr (f == F::kSigmoidBackward) return a * b * (1 - b);
  if constexpr (f == F::kTanhBackward) return a * (1 - b * b);
  if constexpr (f == F::kGeluBackward) return a * gelu_slope(b);
  if constexpr (f == F::kSiluBackward) {
    const float s = sigmoid(b);
    return a * s * (1 + b * (1 - s));
  }
}

template <ElementFunction f>
void apply_widest(const float* a, const float* b, float* y, int64_t count) {
  run_widest([=] {
    BELFRY_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) y[i] = apply<f>(a[i], b[i]);
  });
}

struct Kernel {
  void (*run)(const float*, const float*, float*, int64_t);
  const char* name;
};

template <ElementFunction f>
Kernel kernel(const char* name) {
  return {apply_widest<f>, name};
}

Kernel kernel_of(ElementFunction function) {
  using F = ElementFunction;
  switch (function) {
    case F::kAbs:
      return kernel<F::kAbs>("abs");
    case F::kExp:
      return kernel<F::kExp>("exp");
    case F::kNegative:
      return kernel<F::kNegative>("neg");
    case F::kReciprocal:
      return kernel<F::kReciprocal>("reciprocal");
    case F::kSquare:
      return kernel<F::kSquare>("square");
    case F::kReluBackward:
      return kernel<F::kReluBackward>("relu backward");
    case F::kSigmoidBackward:
      return kernel<F::kSigmoidBackward>("sigmoid backward");
    case F::kTanhBackward:
      return kernel<F::kTanhBackward>("tanh backward");
    case F::kGeluBackward:
      return kernel<F::kGeluBackward>("gelu backward");
    default:
      return kernel<F::kSiluBackward>("silu backward");
  }
}

template <typename From, typename To>
BELFRY_INLINE void convert(const From* from, To* to, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Lanes values;
    load(from + i, values);
    store(values, to + i);
  }
  for (; i < count; ++i) to[i] = static_cast<To>(static_cast<float>(from[i]));
}

/// Calls body(first, count) for parts of the elements, on all threads.
template <typename Body>
void on_elements(int64_t count, Body body) {
  in_parallel((count + kElementsOfTask - 1) / kElementsOfTask, [&](int64_t i) {
    const int64_t first = i * kElementsOfTask;
    body(first, std::min(count - first, kElementsOfTask));
  });
}

template <typename From, typename To>
void convert_all(const TensorView& x, const TensorView& y) {
  const auto* from = x.data_as<const From>();
  auto* to = y.data_as<To>();
  on_elements(y.numel(), [&](int64_t first, int64_t count) {
    run_widest([=] { convert(from + first, to + first, count); });
  });
}

}  // namespace

std::unique_ptr<Instruction> make_element_function(ElementFunction function, const TensorView& a,
                                                   const TensorView& b, const TensorView& y) {
  const Kernel kernel = kernel_of(function);
  return make_instruction(kernel.name, [=] {
    const auto* from = a.data_as<const float>();
    const auto* other = b.defined() ? b.data_as<const float>() : from;
    auto* to = y.data_as<float>();
    on_elements(y.numel(), [&](int64_t first, int64_t count) {
      kernel.run(from + first, other + first, to + first, count);
    });
  });
}

std::unique_ptr<Instruction> make_conversion(const TensorView& x, const TensorView& y) {
  return make_instruction("conversion", [=] {
    if (x.type() == ElementType::kFloat32) {
      convert_all<float, BFloat16>(x, y);
    } else {
      convert_all<BFloat16, float>(x, y);
    }
  });
}

}  // namespace belfry::internal
