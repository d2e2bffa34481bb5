#include "nets/formula.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <functional>
#include <numeric>

namespace belfry::benchmarks {

namespace {

/// 64-bit FNV-1a.
uint64_t hash(const std::string& name) {
  uint64_t result = 0xcbf29ce484222325;
  for (const char c : name) result = (result ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return result;
}

/// Number `index` of SplitMix64 (Steele et al., 2014), cut to 24 bits, in [0, 1).
double uniform(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((z ^ (z >> 31)) >> 40) / (1 << 24);
}

template <typename T, typename F>
at::Tensor filled(const std::string& name, const Shape& shape, at::ScalarType dtype, F&& value) {
  at::Tensor result = at::empty(shape, dtype);
  T* data = result.mutable_data_ptr<T>();
  const uint64_t seed = hash(name);
  for (int64_t i = 0; i < result.numel(); ++i) data[i] = static_cast<T>(value(uniform(seed, i)));
  return result;
}

}  // namespace

at::Tensor formula_floats(const std::string& name, const Shape& shape, double limit) {
  return filled<float>(name, shape, at::kFloat, [limit](double u) { return (2 * u - 1) * limit; });
}

at::Tensor formula_integers(const std::string& name, const Shape& shape, int64_t limit) {
  return filled<int64_t>(name, shape, at::kLong,
                         [limit](double u) { return std::floor(u * static_cast<double>(limit)); });
}

at::Tensor formula_weights(const std::string& name, const Shape& shape) {
  if (shape.size() < 2) return at::full(shape, name.ends_with("gamma") ? 1 : 0, at::kFloat);
  const int64_t fan_in = std::accumulate(shape.begin(), shape.end() - 1, int64_t{1}, std::multiplies<>());
  return formula_floats(name, shape, std::sqrt(3.0 / static_cast<double>(fan_in)));
}

}  // namespace belfry::benchmarks
