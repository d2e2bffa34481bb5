#include "belfry/ops/random.h"

#include "belfry/graph/scope.h"
#include "belfry/ops/call.h"
#include "belfry/ops/internal/known_integers.h"

namespace belfry {
namespace {

Tensor seeded_call(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes,
                   std::optional<int64_t> seed, const std::string& name) {
  if (!seed) return call(op, inputs, attributes, name);
  SeedScope scope(static_cast<uint64_t>(*seed), {.exact = true});
  return call(op, inputs, attributes, name);
}

}  // namespace

Tensor random_uniform(const Shape& shape, double low, double high, const RandomAttributes& attributes,
                      const std::string& name) {
  return seeded_call("belfry::random_uniform", {},
                     {{"shape", shape}, {"low", low}, {"high", high}, {"dtype", attributes.dtype}},
                     attributes.seed, name);
}
Tensor random_normal(const Shape& shape, double mean, double stddev, const RandomAttributes& attributes,
                     const std::string& name) {
  return seeded_call("belfry::random_normal", {},
                     {{"shape", shape}, {"mean", mean}, {"stddev", stddev}, {"dtype", attributes.dtype}},
                     attributes.seed, name);
}
Tensor random_uniform(const RunTimeShape& shape, double low, double high, const RandomAttributes& attributes,
                      const std::string& name) {
  if (const auto sizes = internal::constant_shape(shape))
    return random_uniform(*sizes, low, high, attributes, name);
  return seeded_call("belfry::random_uniform.run_time_shape", {shape.sizes},
                     {{"low", low}, {"high", high}, {"dtype", attributes.dtype}, {"known", shape.known}},
                     attributes.seed, name);
}
Tensor random_normal(const RunTimeShape& shape, double mean, double stddev,
                     const RandomAttributes& attributes, const std::string& name) {
  if (const auto sizes = internal::constant_shape(shape))
    return random_normal(*sizes, mean, stddev, attributes, name);
  return seeded_call(
      "belfry::random_normal.run_time_shape", {shape.sizes},
      {{"mean", mean}, {"stddev", stddev}, {"dtype", attributes.dtype}, {"known", shape.known}},
      attributes.seed, name);
}
Tensor truncated_normal(const Shape& shape, double mean, double stddev, const RandomAttributes& attributes,
                        const std::string& name) {
  return seeded_call("belfry::truncated_normal", {},
                     {{"shape", shape}, {"mean", mean}, {"stddev", stddev}, {"dtype", attributes.dtype}},
                     attributes.seed, name);
}
Tensor random_bernoulli(const Shape& shape, double probability, const RandomAttributes& attributes,
                        const std::string& name) {
  return seeded_call("belfry::random_bernoulli", {},
                     {{"shape", shape}, {"probability", probability}, {"dtype", attributes.dtype}},
                     attributes.seed, name);
}
Tensor random_uniform_like(const Tensor& x, double low, double high, const RandomLikeAttributes& attributes,
                           const std::string& name) {
  return seeded_call("belfry::random_uniform_like", {x}, {{"low", low}, {"high", high}}, attributes.seed,
                     name);
}
Tensor random_normal_like(const Tensor& x, double mean, double stddev, const RandomLikeAttributes& attributes,
                          const std::string& name) {
  return seeded_call("belfry::random_normal_like", {x}, {{"mean", mean}, {"stddev", stddev}}, attributes.seed,
                     name);
}
Tensor random_shuffle(const Tensor& x, const RandomLikeAttributes& attributes, const std::string& name) {
  return seeded_call("belfry::random_shuffle", {x}, {}, attributes.seed, name);
}
Tensor random_categorical(const Tensor& logits, int64_t count, const RandomLikeAttributes& attributes,
                          const std::string& name) {
  return seeded_call("belfry::random_categorical", {logits}, {{"count", count}}, attributes.seed, name);
}

}  // namespace belfry
