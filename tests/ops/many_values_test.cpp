#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/var.h>
#include <gtest/gtest.h>

#include <cmath>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

// Sums of ten million values against float64's. A float32 that they are added to one by one stops growing.

namespace belfry {
namespace {

constexpr int64_t kHeight = 3200, kWidth = 3125, kMany = kHeight * kWidth;

/// A function of [1, kHeight, kWidth, 1], and what float64 gives for the flat values. The first element of
/// its result is looked at.
struct Reduction {
  const char* name;
  std::function<Tensor(const Tensor& x)> build;
  std::function<at::Tensor(const at::Tensor& x)> expected;
};

void PrintTo(const Reduction& reduction, std::ostream* out) {
  *out << reduction.name;
}

at::Tensor variance_of(const at::Tensor& x) {
  return (x - x.mean()).square().mean();
}
at::Tensor normalized_first(const at::Tensor& x) {
  return (x[0] - x.mean()) / (variance_of(x) + 1e-5).sqrt();
}
Tensor flat(const Tensor& x) {
  return reshape(x, {-1});
}

const std::vector<Reduction>& reductions() {
  static const std::vector<Reduction> list = {
      {"sum", [](const Tensor& x) { return sum(x); }, [](const at::Tensor& x) { return x.sum(); }},
      {"mean", [](const Tensor& x) { return mean(x); }, [](const at::Tensor& x) { return x.mean(); }},
      {"mean_of_images",
       [](const Tensor& x) {
         return mean(x, {1, 2});
       },
       [](const at::Tensor& x) { return x.mean(); }},
      {"variance", [](const Tensor& x) { return variance(x); }, variance_of},
      {"stddev", [](const Tensor& x) { return stddev(x); },
       [](const at::Tensor& x) { return variance_of(x).sqrt(); }},
      {"moments_mean",
       [](const Tensor& x) {
         return moments(x, {0, 1, 2}).first;
       },
       [](const at::Tensor& x) { return x.mean(); }},
      {"moments_variance",
       [](const Tensor& x) {
         return moments(x, {0, 1, 2}).second;
       },
       variance_of},
      {"norm", [](const Tensor& x) { return norm(x); },
       [](const at::Tensor& x) { return x.square().sum().sqrt(); }},
      {"global_norm", [](const Tensor& x) { return global_norm({x}); },
       [](const at::Tensor& x) { return x.square().sum().sqrt(); }},
      {"clip_by_norm", [](const Tensor& x) { return clip_by_norm(x, 1); },
       [](const at::Tensor& x) { return x[0] / x.square().sum().sqrt(); }},
      {"l2_loss", [](const Tensor& x) { return l2_loss(x); },
       [](const at::Tensor& x) { return x.square().sum() / 2; }},
      {"l2_normalize", [](const Tensor& x) { return l2_normalize(flat(x), 0); },
       [](const at::Tensor& x) { return x[0] / x.square().sum().sqrt(); }},
      {"logsumexp", [](const Tensor& x) { return logsumexp(x); },
       [](const at::Tensor& x) { return x.logsumexp(0); }},
      {"softmax", [](const Tensor& x) { return softmax(flat(x)); },
       [](const at::Tensor& x) { return (x[0] - x.logsumexp(0)).exp(); }},
      {"log_softmax", [](const Tensor& x) { return log_softmax(flat(x)); },
       [](const at::Tensor& x) { return x[0] - x.logsumexp(0); }},
      {"softmax_cross_entropy",
       [](const Tensor& x) { return softmax_cross_entropy(flat(x), ones_like(flat(x)) * 1e-7); },
       [](const at::Tensor& x) { return (x.logsumexp(0) * kMany - x.sum()) * 1e-7; }},
      {"mean_squared_error", [](const Tensor& x) { return mean_squared_error(x, zeros_like(x)); },
       [](const at::Tensor& x) { return x.square().mean(); }},
      {"absolute_difference", [](const Tensor& x) { return absolute_difference(x, zeros_like(x)); },
       [](const at::Tensor& x) { return x.abs().mean(); }},
      {"cumsum", [](const Tensor& x) { return reverse(cumsum(flat(x), 0), {0}); },
       [](const at::Tensor& x) { return x.sum(); }},
      {"avg_pool2d", [](const Tensor& x) { return avg_pool2d(x, {.pool = Size2D(kHeight, kWidth)}); },
       [](const at::Tensor& x) { return x.mean(); }},
      {"avg_pool2d_of_part",
       [](const Tensor& x) { return avg_pool2d(x, {.pool = Size2D(kHeight - 1, kWidth)}); },
       [](const at::Tensor& x) { return x.slice(0, 0, kMany - kWidth).mean(); }},
      {"avg_pool2d_nchw",
       [](const Tensor& x) {
         return avg_pool2d(transpose(x, {0, 3, 1, 2}),
                           {.pool = Size2D(kHeight, kWidth), .data_format = "NCHW"});
       },
       [](const at::Tensor& x) { return x.mean(); }},
      {"batch_norm_mean", [](const Tensor& x) { return batch_norm_training(x, {}, {}).mean; },
       [](const at::Tensor& x) { return x.mean(); }},
      {"batch_norm_variance", [](const Tensor& x) { return batch_norm_training(x, {}, {}).variance; },
       variance_of},
      {"batch_norm_mean_of_channels",
       [](const Tensor& x) {
         return batch_norm_training(reshape(x, {-1, 2}), {}, {}).mean;
       },
       [](const at::Tensor& x) {
         return x.reshape({-1, 2}).mean(0)[0];
       }},
      {"batch_norm_mean_of_image_channels",
       [](const Tensor& x) {
         return batch_norm_training(reshape(x, {1, kHeight, kWidth / 5, 5}), {}, {}).mean;
       },
       [](const at::Tensor& x) {
         return x.reshape({-1, 5}).mean(0)[0];
       }},
      {"batch_norm", [](const Tensor& x) { return batch_norm_training(x, {}, {}).y; }, normalized_first},
      {"group_norm", [](const Tensor& x) { return group_norm(x, {}, {}, {.groups = 1}); }, normalized_first},
      {"layer_norm",
       [](const Tensor& x) {
         return layer_norm(reshape(x, {1, -1}), {}, {});
       },
       normalized_first},
      {"gradient_of_bias_add",
       [](const Tensor& x) {
         const Tensor bias = zeros({1}, x.dtype());
         return gradients(sum(bias_add(x, bias) * x), {bias})[0];
       },
       [](const at::Tensor& x) { return x.sum(); }},
  };
  return list;
}

/// None of them near the mean.
at::Tensor wave() {
  return at::sin(at::arange(kMany, at::kDouble) * 0.7 + 1) * 0.05 + 0.1;
}

class ManyValuesTest : public testing::TestWithParam<Reduction> {
 protected:
  static double error(const at::Tensor& values, DType dtype) {
    Graph graph;
    GraphScope as_default(graph);
    const Tensor x = placeholder("x", {1, kHeight, kWidth, 1}, dtype);
    const Tensor y = GetParam().build(x);
    const at::Tensor given = values.to(dtype);
    const double value =
        Session(graph).run(y, {{x, given.reshape({1, kHeight, kWidth, 1})}}).reshape(-1)[0].item<double>();
    const double expected = GetParam().expected(given.to(at::kDouble)).item<double>();
    return std::abs(value - expected) / std::abs(expected);
  }
};

TEST_P(ManyValuesTest, AreAddedUpInFloat32) {
  EXPECT_LE(error(wave(), kFloat32), 1e-5);
}

/// What remains is the rounding of the result, of 8 bits, and of the steps on the way to it.
TEST_P(ManyValuesTest, AreAddedUpInBFloat16) {
  EXPECT_LE(error(wave(), kBFloat16), 1.2e-2);
}

INSTANTIATE_TEST_SUITE_P(, ManyValuesTest, testing::ValuesIn(reductions()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry
