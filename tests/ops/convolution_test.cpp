#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/ops/guarded_memory.h"

namespace belfry {
namespace {

at::Tensor wave(const Shape& shape, double step) {
  return at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * step).reshape(shape).to(at::kFloat);
}

/// A function of an image and a filter, and its gradients.
struct Convolution {
  Shape image, filter;
  Size2D strides;
  const char* padding;
  bool transposed = false;
  const char* data_format = "NHWC";
  bool depthwise = false;

  Tensor build(const Tensor& x, const Tensor& f) const {
    if (transposed)
      return conv2d_transpose(x, f, {.strides = strides, .padding = padding, .data_format = data_format});
    if (depthwise)
      return depthwise_conv2d(x, f, {.strides = strides, .padding = padding, .data_format = data_format});
    return conv2d(x, f, {.strides = strides, .padding = padding, .data_format = data_format});
  }

  /// The result, and the gradients by image and filter of its sum under weights.
  std::vector<at::Tensor> run(DType dtype, int times = 1) const {
    Graph graph;
    GraphScope as_default(graph);
    const Tensor x = placeholder("x", image, dtype), f = placeholder("f", filter, dtype);
    const Tensor y = build(x, f);
    const Tensor weights = constant(wave(y.shape(), 0.37).to(dtype));
    const auto dx = gradients(sum(y * weights), {x, f});
    Session session(graph);
    std::vector<at::Tensor> result;
    for (int i = 0; i < times; ++i) {
      result =
          session.run({y, dx[0], dx[1]}, {{x, wave(image, 0.7).to(dtype)}, {f, wave(filter, 1.3).to(dtype)}});
    }
    return result;
  }
};

void PrintTo(const Convolution& c, std::ostream* out) {
  *out << (c.transposed  ? "transposed "
           : c.depthwise ? "depthwise "
                         : "")
       << to_string(c.image) << " by " << to_string(c.filter) << ", strides " << c.strides.height << ", "
       << c.strides.width << " " << c.padding << " " << c.data_format;
}

/// oneDNN has no kernels for float64: LibTorch's own compute that.
void expect_float64s_values(const Convolution& c, int times = 1) {
  SCOPED_TRACE(testing::PrintToString(c));
  const auto values = c.run(kFloat32, times), expected = c.run(kFloat64);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i].sizes(), expected[i].sizes());
    const double unit = std::max(1.0, expected[i].abs().max().item<double>());
    EXPECT_LE((values[i] - expected[i]).abs().max().item<double>(), 1e-5 * unit) << "output " << i;
  }
}

/// Where LibTorch's oneDNN writes beyond its memory: threads share the batch unevenly, and the stride leaves
/// out the last row or column. The process dies within some steps of it.
TEST(Convolution, A1x1FilterOfAnyStrideTrainsOnUnevenBatches) {
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  for (int64_t batch : {3, 7, 15}) {
    for (const auto& [height, width, in, out] : std::vector<std::array<int64_t, 4>>{
             {12, 14, 3, 4}, {16, 10, 1, 4}, {16, 10, 8, 6}, {10, 12, 3, 3}, {14, 6, 4, 4}, {7, 8, 11, 16}}) {
      for (const Size2D strides : {Size2D(2), Size2D(1, 2), Size2D(3, 1)}) {
        expect_float64s_values({{batch, height, width, in}, {1, 1, in, out}, strides, "SAME"}, 3);
        expect_float64s_values({{batch, height, width, in}, {1, 1, in, out}, strides, "VALID"});
        expect_float64s_values({{batch, in, height, width}, {1, 1, in, out}, strides, "SAME", false, "NCHW"});
        const Shape image = {batch, height / 3, width / 3, in};
        expect_float64s_values({image, {1, 1, out, in}, strides, "VALID", true}, 3);
        expect_float64s_values({image, {1, 1, out, in}, strides, "SAME", true});
      }
    }
  }
  at::set_num_threads(threads);
}

TEST(Convolution, OneWindowAlongAnAxisIsTheFirst) {
  for (const Shape& image : std::vector<Shape>{{2, 6, 4, 1}, {5, 3, 3, 1}, {2, 3, 2, 1}, {4, 9, 1, 1}}) {
    for (const auto& [height, width] : std::vector<std::array<int64_t, 2>>{{4, 4}, {1, 2}, {3, 1}}) {
      for (const Size2D strides : {Size2D(1, 3), Size2D(1, 2), Size2D(5, 1)}) {
        const bool fits = image[1] >= height && image[2] >= width;
        for (int64_t out : {1, 8}) {
          const Shape filter = {height, width, 1, out};
          expect_float64s_values({image, filter, strides, "SAME"});
          if (fits) expect_float64s_values({image, filter, strides, "VALID"});
          expect_float64s_values({image, filter, strides, "SAME", false, "NHWC", true});
          expect_float64s_values({image, {height, width, out, 1}, strides, "SAME", true});
          expect_float64s_values({image, {height, width, out, 1}, strides, "VALID", true});
        }
      }
    }
  }
}

TEST(Convolution, AComputedFilterOfAnyLayoutHasAGradient) {
  for (const Shape& filter : std::vector<Shape>{{4, 1, 2, 1}, {2, 2, 2, 1}, {1, 1, 2, 3}, {3, 3, 1, 1}}) {
    const Shape image = {1, 5, 4, filter[2]};
    expect_float64s_values({image, filter, Size2D(1), "SAME"});
    expect_float64s_values({image, {filter[0], filter[1], filter[3], filter[2]}, Size2D(1), "SAME", true});
  }
}

/// TensorFlow's numbers.
TEST(Convolution, OneInputChannelAndOneColumnGiveTensorFlowsValues) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = constant(at::arange(48, at::kFloat).reshape({2, 6, 4, 1}));
  const Tensor y = conv2d(x, ones({4, 4, 1, 2}), {.strides = {1, 3}, .padding = "VALID"});
  const at::Tensor value = Session(graph).run(y).select(-1, 0).reshape(-1);
  EXPECT_TRUE(value.equal(at::tensor({120., 184., 248., 504., 568., 632.}).to(at::kFloat))) << value;
}

/// The grid of shapes in which a fault of this kind was looked for, or every `step`th of it.
std::vector<Convolution> grid(int step) {
  std::vector<Convolution> result;
  int i = 0;
  for (const auto& [rows, columns] :
       std::vector<std::array<int64_t, 2>>{{1, 1}, {2, 2}, {3, 3}, {1, 3}, {5, 2}})
    for (const Size2D strides : {Size2D(1), Size2D(2), Size2D(3), Size2D(1, 2)})
      for (const auto& [height, width] : std::vector<std::array<int64_t, 2>>{{16, 10}, {9, 14}, {7, 7}})
        for (const auto& [in, out] :
             std::vector<std::array<int64_t, 2>>{{1, 4}, {3, 6}, {8, 6}, {16, 32}, {17, 9}})
          for (const int64_t batch : {1, 2, 3, 7, 15})
            for (const char* padding : {"SAME", "VALID"})
              for (const bool first : {false, true})
                for (const int kind : {0, 1, 2}) {
                  if (i++ % step != 0) continue;
                  const Shape image =
                      first ? Shape{batch, in, height, width} : Shape{batch, height, width, in};
                  const Shape filter = {rows, columns, kind == 1 ? out : in,
                                        kind == 1   ? in
                                        : kind == 2 ? 2
                                                    : out};
                  result.push_back(
                      {image, filter, strides, padding, kind == 1, first ? "NCHW" : "NHWC", kind == 2});
                }
  return result;
}

/// What is running, for the one who reads that it died.
std::string running;

void say_and_exit(int) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, running.data(), running.size());
  _exit(1);
}

/// In a process of its own, as a fault ends it. By hand, CONVOLUTION_GRID=1 runs all 18,000.
TEST(ConvolutionDeathTest, TouchesOnlyItsOwnMemory) {
  if (!test::GuardedMemory::works()) GTEST_SKIP() << "a sanitizer has the allocator";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const char* step = std::getenv("CONVOLUTION_GRID");
  const auto run = [&] {
    std::signal(SIGSEGV, say_and_exit);
    std::signal(SIGABRT, say_and_exit);
    at::set_num_threads(2);
    const test::GuardedMemory guarded;
    for (const Convolution& c : grid(step ? std::max(1, std::atoi(step)) : 211)) {
      running = testing::PrintToString(c) + "\n";
      c.run(kFloat32);
    }
    _exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace belfry
