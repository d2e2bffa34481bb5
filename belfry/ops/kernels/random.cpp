#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/softmax.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>
#include <utility>
#include <vector>

#include "belfry/ops/internal/run_time_shape.h"

// Operators that draw numbers. Each takes the generator as its last argument, by which the graph knows it.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::ScalarType;
using at::Tensor;
using OptionalDevice = std::optional<at::Device>;
using OptionalGenerator = std::optional<at::Generator>;

at::TensorOptions options_of(ScalarType dtype, const OptionalDevice& device) {
  return at::TensorOptions().dtype(dtype).device(device);
}

Tensor random_uniform(IntArrayRef shape, double low, double high, ScalarType dtype, OptionalDevice device,
                      OptionalGenerator generator) {
  TORCH_CHECK(low < high, "expected low < high, got ", low, " and ", high);
  Tensor result = at::empty(shape, options_of(dtype, device));
  if (at::isIntegralType(dtype, /*includeBool=*/false))
    return result.random_(static_cast<int64_t>(low), static_cast<int64_t>(high), generator);
  return result.uniform_(low, high, generator);
}

Tensor random_normal(IntArrayRef shape, double mean, double stddev, ScalarType dtype, OptionalDevice device,
                     OptionalGenerator generator) {
  return at::empty(shape, options_of(dtype, device)).normal_(mean, stddev, generator);
}

Tensor random_uniform_at_run_time(const Tensor& shape, double low, double high, ScalarType dtype,
                                  IntArrayRef known, OptionalGenerator generator) {
  const auto sizes = internal::run_time_sizes(shape, known);
  return internal::check_known_sizes(random_uniform(sizes, low, high, dtype, shape.device(), generator),
                                     known);
}
Tensor random_normal_at_run_time(const Tensor& shape, double mean, double stddev, ScalarType dtype,
                                 IntArrayRef known, OptionalGenerator generator) {
  const auto sizes = internal::run_time_sizes(shape, known);
  return internal::check_known_sizes(random_normal(sizes, mean, stddev, dtype, shape.device(), generator),
                                     known);
}
Tensor random_at_run_time_meta(const Tensor& shape, double, double, ScalarType dtype, IntArrayRef known,
                               OptionalGenerator) {
  return at::empty(internal::sizes_to_infer(shape, known), shape.options().dtype(dtype));
}

/// The inverse of the distribution function, applied to uniform numbers between its values at ±2.
Tensor truncated_normal(IntArrayRef shape, double mean, double stddev, ScalarType dtype,
                        OptionalDevice device, OptionalGenerator generator) {
  const double bound = std::erf(std::numbers::sqrt2);
  Tensor result = at::empty(shape, options_of(dtype, device)).uniform_(-bound, bound, generator);
  return result.erfinv_().mul_(std::numbers::sqrt2).clamp_(-2, 2).mul_(stddev).add_(mean);
}

Tensor random_bernoulli(IntArrayRef shape, double probability, ScalarType dtype, OptionalDevice device,
                        OptionalGenerator generator) {
  TORCH_CHECK(probability >= 0 && probability <= 1, "expected a probability from 0 to 1, got ", probability);
  return at::empty(shape, options_of(dtype, device)).bernoulli_(probability, generator);
}

/// Dense whatever the strides of `x`: numbers are drawn in the order of the elements, so that the same ones
/// fall on an element however a kernel before laid it out.
Tensor dense_like(const Tensor& x) {
  return at::empty(x.sizes(), x.options());
}

Tensor random_uniform_like(const Tensor& x, double low, double high, OptionalGenerator generator) {
  return dense_like(x).uniform_(low, high, generator);
}

Tensor random_normal_like(const Tensor& x, double mean, double stddev, OptionalGenerator generator) {
  return dense_like(x).normal_(mean, stddev, generator);
}

Tensor random_shuffle(const Tensor& x, OptionalGenerator generator) {
  TORCH_CHECK(x.dim() > 0, "expected rows to shuffle, got a scalar");
  return x.index_select(0, at::randperm(x.size(0), generator, x.options().dtype(at::kLong)));
}

Tensor random_shuffle_meta(const Tensor& x, OptionalGenerator) {
  TORCH_CHECK(x.dim() > 0, "expected rows to shuffle, got a scalar");
  return at::empty_like(x);
}

void check_categorical(const Tensor& logits, int64_t count) {
  TORCH_CHECK(logits.dim() == 2, "expected logits [N, C], got ", logits.sizes());
  TORCH_CHECK(count > 0, "expected a positive count, got ", count);
}

Tensor random_categorical(const Tensor& logits, int64_t count, OptionalGenerator generator) {
  check_categorical(logits, count);
  return at::multinomial(at::softmax(logits, -1), count, /*replacement=*/true, generator);
}

Tensor random_categorical_meta(const Tensor& logits, int64_t count, OptionalGenerator) {
  check_categorical(logits, count);
  return at::empty({logits.size(0), count}, logits.options().dtype(at::kLong));
}

/// Sets each element to `value` with the probability `keep`, else to 0. On a CPU the number of an element
/// follows from its index and one key (Philox: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// 2011), so that threads can share the work without changing the result.
void keep_at_random(Tensor& mask, double keep, double value, const OptionalGenerator& generator) {
  if (!mask.is_cpu()) {
    mask.bernoulli_(keep, generator).mul_(value);
    return;
  }
  const auto key = static_cast<uint64_t>(
      at::empty({}, mask.options().dtype(at::kLong)).random_(generator).item<int64_t>());
  const auto below = static_cast<uint64_t>(std::llround(std::ldexp(keep, 32)));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, mask.scalar_type(), "dropout", [&] {
    auto* const data = mask.mutable_data_ptr<scalar_t>();
    const auto kept = static_cast<scalar_t>(value);
    at::parallel_for(0, mask.numel(), /*grain_size=*/4096, [&](int64_t begin, int64_t end) {
      at::Philox4_32 random(key, /*subsequence=*/0, /*offset=*/static_cast<uint64_t>(begin / 4));
      for (int64_t skipped = 0; skipped < begin % 4; ++skipped) random();
      for (int64_t i = begin; i < end; ++i) data[i] = random() < below ? kept : scalar_t(0);
    });
  });
}

/// With the mask: 1 / (1 - rate) where an element is kept, else 0.
std::tuple<Tensor, Tensor> dropout_with_mask(const Tensor& x, double rate, IntArrayRef noise_shape,
                                             OptionalGenerator generator) {
  TORCH_CHECK(rate >= 0 && rate < 1, "expected a rate from 0 to below 1, got ", rate);
  std::vector<int64_t> sizes = noise_shape.vec();
  TORCH_CHECK(sizes.empty() || sizes.size() == static_cast<size_t>(x.dim()), "expected a noise shape of ",
              x.dim(), " sizes, got ", noise_shape);
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0) sizes[i] = x.size(static_cast<int64_t>(i));
    TORCH_CHECK(sizes[i] == 1 || sizes[i] == x.size(static_cast<int64_t>(i)),
                "expected a noise shape that broadcasts to ", x.sizes(), ", got ", noise_shape);
  }
  Tensor mask = sizes.empty() ? dense_like(x) : at::empty(sizes, x.options());
  keep_at_random(mask, 1 - rate, 1 / (1 - rate), generator);
  return {x * mask, mask};
}

Tensor dropout(const Tensor& x, double rate, IntArrayRef noise_shape, OptionalGenerator generator) {
  return std::get<0>(dropout_with_mask(x, rate, noise_shape, std::move(generator)));
}

void check_orthogonal(IntArrayRef shape) {
  TORCH_CHECK(shape.size() >= 2, "expected a shape of at least 2 dimensions, got ", shape);
}

Tensor orthogonal(IntArrayRef shape, double gain, ScalarType dtype, OptionalDevice device,
                  OptionalGenerator generator) {
  check_orthogonal(shape);
  const int64_t columns = shape.back();
  const int64_t rows = c10::multiply_integers(shape.slice(0, shape.size() - 1));
  const Tensor random =
      at::empty({std::max(rows, columns), std::min(rows, columns)}, options_of(dtype, device))
          .normal_(0, 1, generator);
  auto [q, r] = at::linalg_qr(random);
  // The signs make the result uniform among orthogonal matrices (Mezzadri, 2007).
  Tensor result = q * r.diagonal().sign() * gain;
  if (rows < columns) result = result.t();
  return result.reshape(shape);
}

Tensor orthogonal_meta(IntArrayRef shape, double, ScalarType dtype, OptionalDevice, OptionalGenerator) {
  check_orthogonal(shape);
  return at::empty(shape, options_of(dtype, at::kMeta));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "random_uniform(int[] shape, *, float low=0, float high=1, ScalarType dtype, Device? device=None, "
      "Generator? generator=None) -> Tensor",
      random_uniform);
  m.def(
      "random_normal(int[] shape, *, float mean=0, float stddev=1, ScalarType dtype, Device? device=None, "
      "Generator? generator=None) -> Tensor",
      random_normal);
  m.def(
      "truncated_normal(int[] shape, *, float mean=0, float stddev=1, ScalarType dtype, Device? device=None, "
      "Generator? generator=None) -> Tensor",
      truncated_normal);
  m.def(
      "random_bernoulli(int[] shape, *, float probability=0.5, ScalarType dtype, Device? device=None, "
      "Generator? generator=None) -> Tensor",
      random_bernoulli);
  m.def(
      "random_uniform.run_time_shape(Tensor shape, *, float low=0, float high=1, ScalarType dtype, "
      "int[] known=[], Generator? generator=None) -> Tensor",
      random_uniform_at_run_time);
  m.def(
      "random_normal.run_time_shape(Tensor shape, *, float mean=0, float stddev=1, ScalarType dtype, "
      "int[] known=[], Generator? generator=None) -> Tensor",
      random_normal_at_run_time);
  m.def("random_uniform_like(Tensor x, *, float low=0, float high=1, Generator? generator=None) -> Tensor",
        random_uniform_like);
  m.def("random_normal_like(Tensor x, *, float mean=0, float stddev=1, Generator? generator=None) -> Tensor",
        random_normal_like);
  m.def("random_shuffle(Tensor x, *, Generator? generator=None) -> Tensor", random_shuffle);
  m.def("random_categorical(Tensor logits, *, int count, Generator? generator=None) -> Tensor",
        random_categorical);
  m.def("dropout(Tensor x, *, float rate, int[] noise_shape=[], Generator? generator=None) -> Tensor",
        dropout);
  m.def(
      "dropout_with_mask(Tensor x, *, float rate, int[] noise_shape=[], Generator? generator=None) -> "
      "(Tensor, Tensor)",
      dropout_with_mask);
  m.def(
      "orthogonal(int[] shape, *, float gain=1, ScalarType dtype, Device? device=None, "
      "Generator? generator=None) -> Tensor",
      orthogonal);
}

// What these need of ATen has no kernel for the meta device.
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("random_uniform.run_time_shape", random_at_run_time_meta);
  m.impl("random_normal.run_time_shape", random_at_run_time_meta);
  m.impl("random_shuffle", random_shuffle_meta);
  m.impl("random_categorical", random_categorical_meta);
  m.impl("orthogonal", orthogonal_meta);
}

}  // namespace belfry
