#pragma once

#include <optional>
#include <string>

#include "belfry/graph/tensor.h"
#include "belfry/ops/run_time_shape.h"

namespace belfry {

struct RandomAttributes {
  DType dtype = kFloat32;
  /// Each session draws the same numbers for the same seed. Default: made of the graph's seed and the node's
  /// name, or different in each session when the graph has none.
  std::optional<int64_t> seed = {};
};

// New numbers at every run. The functions `..._like` draw one number for each element of a tensor.

/// Evenly in [low, high); integers when the dtype is one.
Tensor random_uniform(const Shape& shape, double low = 0, double high = 1,
                      const RandomAttributes& attributes = {}, const std::string& name = "");
Tensor random_normal(const Shape& shape, double mean = 0, double stddev = 1,
                     const RandomAttributes& attributes = {}, const std::string& name = "");
Tensor random_uniform(const RunTimeShape& shape, double low = 0, double high = 1,
                      const RandomAttributes& attributes = {}, const std::string& name = "");
Tensor random_normal(const RunTimeShape& shape, double mean = 0, double stddev = 1,
                     const RandomAttributes& attributes = {}, const std::string& name = "");
/// Normal, values more than two `stddev` from `mean` drawn again.
Tensor truncated_normal(const Shape& shape, double mean = 0, double stddev = 1,
                        const RandomAttributes& attributes = {}, const std::string& name = "");
/// 1 with `probability`, else 0.
Tensor random_bernoulli(const Shape& shape, double probability = 0.5, const RandomAttributes& attributes = {},
                        const std::string& name = "");

struct RandomLikeAttributes {
  std::optional<int64_t> seed = {};
};
Tensor random_uniform_like(const Tensor& x, double low = 0, double high = 1,
                           const RandomLikeAttributes& attributes = {}, const std::string& name = "");
Tensor random_normal_like(const Tensor& x, double mean = 0, double stddev = 1,
                          const RandomLikeAttributes& attributes = {}, const std::string& name = "");

/// The rows of `x` in random order.
Tensor random_shuffle(const Tensor& x, const RandomLikeAttributes& attributes = {},
                      const std::string& name = "");
/// `count` classes (int64), drawn with replacement for each row of `logits` [N, C]: [N, count].
Tensor random_categorical(const Tensor& logits, int64_t count, const RandomLikeAttributes& attributes = {},
                          const std::string& name = "");

}  // namespace belfry
