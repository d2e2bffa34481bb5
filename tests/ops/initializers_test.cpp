#include "belfry/ops/initializers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

at::Tensor values(const Initializer& initializer, const Shape& shape, DType dtype = kFloat32) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable v = get_variable("v", shape, {.dtype = dtype, .initializer = initializer});
  Session session(graph);
  session.initialize_variables();
  return session.value(v);
}

/// Standard deviation, and the largest absolute value possible (0: there is none).
struct Expected {
  const char* name;
  Initializer initializer;
  Shape shape;
  double variance, largest;
};

/// Fans as TensorFlow has them: of [3, 4, 50, 100] 600 in and 1200 out, of a matrix its sizes, of a list its
/// size both ways.
std::vector<Expected> scaled_initializers() {
  const Shape kernel = {3, 4, 50, 100}, matrix = {200, 400}, list = {50000};
  // Two deviations of the normal distribution that has the variance asked for after it is cut there.
  auto cut = [](double variance) { return 2 * std::sqrt(variance) / 0.87962566; };
  auto scaling = [](double scale, FanMode mode, Distribution distribution) {
    return variance_scaling_initializer(
        {.scale = scale, .mode = mode, .distribution = distribution, .seed = 1});
  };
  const InitializerOptions seed{.seed = 1};
  return {
      {"glorot_uniform kernel", glorot_uniform_initializer(seed), kernel, 1. / 900, std::sqrt(6. / 1800)},
      {"glorot_uniform matrix", glorot_uniform_initializer(seed), matrix, 1. / 300, std::sqrt(6. / 600)},
      {"glorot_uniform list", glorot_uniform_initializer(seed), list, 1. / 50000, std::sqrt(3. / 50000)},
      {"glorot_normal kernel", glorot_normal_initializer(seed), kernel, 1. / 900, cut(1. / 900)},
      {"he_normal kernel", he_normal_initializer(seed), kernel, 2. / 600, cut(2. / 600)},
      {"he_normal matrix", he_normal_initializer(seed), matrix, 2. / 200, cut(2. / 200)},
      {"he_uniform kernel", he_uniform_initializer(seed), kernel, 2. / 600, std::sqrt(6. / 600)},
      {"fan out", scaling(3, FanMode::kOut, Distribution::kUniform), kernel, 3. / 1200, std::sqrt(9. / 1200)},
      {"tensorpack's", scaling(2, FanMode::kIn, Distribution::kUntruncatedNormal), kernel, 2. / 600, 0},
      {"uniform", random_uniform_initializer(-0.2, 0.2, seed), matrix, 0.04 / 3, 0.2},
      {"normal", random_normal_initializer(0, 0.1, seed), matrix, 0.01, 0},
      {"truncated", truncated_normal_initializer(0, 0.1, seed), matrix, 0.01 * 0.7737413, 0.2},
  };
}

TEST(Initializers, HaveTheVarianceAndLimitsOfTensorFlow) {
  for (const Expected& expected : scaled_initializers()) {
    SCOPED_TRACE(expected.name);
    const at::Tensor x = values(expected.initializer, expected.shape);
    const double stddev = std::sqrt(expected.variance);
    EXPECT_NEAR(x.mean().item<double>(), 0, 0.02 * stddev);
    EXPECT_NEAR(x.std().item<double>(), stddev, 0.02 * stddev);
    if (expected.largest == 0) {
      EXPECT_GT(x.abs().max().item<double>(), 3.5 * stddev);
    } else {
      EXPECT_NEAR(x.abs().max().item<double>(), expected.largest, 0.01 * expected.largest);
      EXPECT_LE(x.abs().max().item<double>(), expected.largest * (1 + 1e-6));
    }
  }
}

TEST(Initializers, TheSameSeedGivesTheSameValues) {
  for (auto make : {glorot_uniform_initializer, he_normal_initializer}) {
    EXPECT_TRUE(values(make({.seed = 1}), {3, 4}).equal(values(make({.seed = 1}), {3, 4})));
    EXPECT_FALSE(values(make({.seed = 1}), {3, 4}).equal(values(make({.seed = 2}), {3, 4})));
  }
}

TEST(Initializers, OrthogonalRowsOrColumnsTheFewer) {
  for (const Shape& shape : {Shape{6, 4}, Shape{4, 6}, Shape{3, 2, 2, 5}}) {
    const at::Tensor x = values(orthogonal_initializer(2.0, {.seed = 1}), shape, kFloat64);
    const at::Tensor matrix = x.reshape({-1, shape.back()});
    const at::Tensor product =
        matrix.size(0) < matrix.size(1) ? at::matmul(matrix, matrix.t()) : at::matmul(matrix.t(), matrix);
    EXPECT_TRUE(test::close(product, at::eye(product.size(0), at::kDouble) * 4, {.absolute = 1e-12}))
        << to_string(shape);
  }
}

TEST(Initializers, ConstantsFillOrAreTheValue) {
  EXPECT_TRUE(values(constant_initializer(3.0), {2}, kInt32).equal(at::tensor({3, 3}, at::kInt)));
  EXPECT_TRUE(values(constant_initializer(at::tensor({1, 2})), {2}).equal(at::tensor({1.0f, 2.0f})));
  EXPECT_TRUE(values(zeros_initializer(), {2}).equal(at::tensor({0.0f, 0.0f})));
  EXPECT_TRUE(values(ones_initializer(), {2}).equal(at::tensor({1.0f, 1.0f})));
  EXPECT_THROW(values(constant_initializer(at::tensor({1, 2})), {3}), UsageError);
}

}  // namespace
}  // namespace belfry
