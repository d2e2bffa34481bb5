#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

// Normalisation takes a mean away, however much larger it is than what remains.

namespace belfry {
namespace {

struct Norm {
  const char* name;
  const char* data_format;
  std::function<Tensor(const Tensor& x, const Tensor& scale, const Tensor& offset, const char* format)> build;
  /// Of the tolerance, for each unit of |mean| / deviation: ATen's kernels form x * a + b, as TensorFlow
  /// does.
  double per_ratio = 0;
};

void PrintTo(const Norm& norm, std::ostream* out) {
  *out << norm.name;
}

std::function<Tensor(const Tensor&, const Tensor&, const Tensor&, const char*)> groups(int64_t count) {
  return [count](const Tensor& x, const Tensor& scale, const Tensor& offset, const char* format) {
    return group_norm(x, scale, offset, {.groups = count, .data_format = format});
  };
}
Tensor by_batch(const Tensor& x, const Tensor& scale, const Tensor& offset, const char* format) {
  return batch_norm_training(x, scale, offset, {.data_format = format}).y;
}
Tensor by_layer(const Tensor& x, const Tensor& scale, const Tensor& offset, const char*) {
  return layer_norm(x, scale, offset);
}

at::Tensor wave(const Shape& shape, double step) {
  return at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * step).reshape(shape);
}

class NormFarFromZeroTest : public testing::TestWithParam<Norm> {
 protected:
  static constexpr int64_t kChannels = 4;

  /// The result, and the gradients by input, scale and offset of its sum under weights.
  static std::vector<at::Tensor> run(const at::Tensor& values, DType dtype) {
    Graph graph;
    GraphScope as_default(graph);
    const Tensor x = placeholder("x", values.sizes().vec(), dtype);
    const Tensor scale = constant((wave({kChannels}, 1.1) + 1.5).to(dtype));
    const Tensor offset = constant(wave({kChannels}, 0.4).to(dtype));
    const Tensor y = GetParam().build(x, scale, offset, GetParam().data_format);
    const auto dx =
        gradients(sum(y * constant(wave(values.sizes().vec(), 0.37).to(dtype))), {x, scale, offset});
    return Session(graph).run({y, dx[0], dx[1], dx[2]}, {{x, values.to(dtype)}});
  }
};

/// In units of the largest element.
TEST_P(NormFarFromZeroTest, GivesFloat64sValuesAndGradients) {
  const Shape shape = {2, 16, 16, kChannels};
  for (const auto& [mean, deviation] : std::vector<std::pair<double, double>>{{0, 1},
                                                                              {10, 0.1},
                                                                              {100, 1},
                                                                              {100, 0.1},
                                                                              {255, 1},
                                                                              {255, 0.1},
                                                                              {1000, 1},
                                                                              {1000, 0.1},
                                                                              {-1e4, 10}}) {
    SCOPED_TRACE("mean " + std::to_string(mean) + ", deviation " + std::to_string(deviation));
    const double tolerance = 2e-5 + GetParam().per_ratio * std::abs(mean) / deviation;
    at::Tensor x = (wave(shape, 0.7) * deviation + mean).to(kFloat32);
    if (GetParam().data_format == std::string("NCHW")) x = x.permute({0, 3, 1, 2}).contiguous();
    const auto values = run(x, kFloat32), expected = run(x, kFloat64);
    for (size_t i = 0; i < values.size(); ++i) {
      const double unit = std::max(1.0, expected[i].abs().max().item<double>());
      EXPECT_LE((values[i] - expected[i]).abs().max().item<double>(), tolerance * unit) << "output " << i;
    }
  }
}

/// An image of 8 bits of precision is what it is; nothing is lost on top.
TEST_P(NormFarFromZeroTest, TakesBFloat16ForWhatItIs) {
  const at::Tensor x = (wave({2, 16, 16, kChannels}, 0.7) * 10 + 300).to(kBFloat16);
  const at::Tensor given =
      GetParam().data_format == std::string("NCHW") ? x.permute({0, 3, 1, 2}).contiguous() : x;
  const at::Tensor values = run(given, kBFloat16)[0], expected = run(given, kFloat64)[0];
  EXPECT_LE((values.to(kFloat64) - expected).abs().max().item<double>(),
            2e-2 * expected.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(
    , NormFarFromZeroTest,
    testing::Values(Norm{"instance", "NHWC", groups(4)}, Norm{"group", "NHWC", groups(2)},
                    Norm{"layer", "NHWC", groups(1)}, Norm{"group_nchw", "NCHW", groups(2)},
                    Norm{"instance_nchw", "NCHW", groups(4)}, Norm{"batch", "NHWC", by_batch, 1e-6},
                    Norm{"batch_nchw", "NCHW", by_batch, 1e-6}, Norm{"last_axis", "NHWC", by_layer, 3e-6}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry
