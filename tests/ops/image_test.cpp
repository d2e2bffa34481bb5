#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::HasSubstr;

at::Tensor angles(const Shape& shape, double factor) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return (at::arange(count, at::kDouble) * factor).reshape(shape);
}

/// The line of arguments that names a result of image_baseline.py.
struct BaselineCase {
  explicit BaselineCase(const std::string& key) {
    std::istringstream fields(key);
    std::getline(fields, op, ',');
    for (int64_t* field : {&h, &w, &c, &o, &kh, &kw, &sh, &sw, &d, &groups}) {
      std::string number;
      std::getline(fields, number, ',');
      *field = std::stoll(number);
    }
    std::getline(fields, padding);
  }

  Tensor build(const Tensor& x) const {
    const PoolAttributes pool{.pool = {kh, kw}, .strides = Size2D(sh, sw), .padding = padding};
    if (op == "max") return max_pool2d(x, pool);
    if (op == "avg") return avg_pool2d(x, pool);
    const auto filter = [](Shape shape) { return constant(at::cos(angles(shape, 0.3))); };
    if (op == "transpose") {
      return conv2d_transpose(x, filter({kh, kw, o, c}), {.strides = {sh, sw}, .padding = padding});
    }
    const ConvAttributes conv{.strides = {sh, sw}, .padding = padding, .dilations = d, .groups = groups};
    if (op == "depthwise") return depthwise_conv2d(x, filter({kh, kw, c, o}), conv);
    return conv2d(x, filter({kh, kw, c / groups, o}), conv);
  }

  std::string op, padding;
  int64_t h, w, c, o, kh, kw, sh, sw, d, groups;
};

TEST(ImageOps, GiveWhatTensorFlowGives) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir dir;
  test::run_python("tests/ops/image_baseline.py", {dir / "expected.npz"});
  const auto expected = load_checkpoint(dir / "expected.npz");
  EXPECT_GT(expected.size(), 200u);
  for (const auto& [key, value] : expected) {
    const BaselineCase c(key);
    Graph graph;
    GraphScope as_default(graph);
    const Tensor x = placeholder("x", {kDynamic, kDynamic, kDynamic, c.c}, kFloat64);
    const Tensor y = c.build(x);
    const at::Tensor given = Session(graph).run(y, {{x, at::sin(angles({2, c.h, c.w, c.c}, 0.7))}});
    EXPECT_TRUE(test::close(given, value, {.relative = 1e-9, .absolute = 1e-9})) << key;
  }
}

class ImageOpsTest : public testing::Test {
 protected:
  template <typename F>
  static std::string error_of(F&& build) {
    try {
      build();
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }

  Graph graph;
  GraphScope as_default{graph};
  Tensor image = placeholder("image", {kDynamic, 8, 8, 4});
  Tensor filter = placeholder("filter", {3, 3, 4, 6});
};

TEST_F(ImageOpsTest, SayWhatIsWrongWhereItIsWritten) {
  EXPECT_THAT(error_of([&] { conv2d(image, filter, {.padding = "FULL"}); }), HasSubstr("got \"FULL\""));
  EXPECT_THAT(error_of([&] { conv2d(image, filter, {.data_format = "CHWN"}); }), HasSubstr("got \"CHWN\""));
  EXPECT_THAT(error_of([&] { conv2d(image, filter, {.groups = 3}, "c"); }), HasSubstr("3 groups"));
  EXPECT_THAT(error_of([&] { conv2d(image, filter, {.groups = 2}); }), HasSubstr("2 input channels"));
  EXPECT_THAT(error_of([&] { conv2d(reshape(image, {-1, 32}), filter); }), HasSubstr("expected a 4-D input"));
  EXPECT_THAT(error_of([&] { conv2d(image, filter, image); }), HasSubstr("expected a bias [6]"));
  EXPECT_THAT(error_of([&] { conv2d(image, filter, {.padding = "VALID", .dilations = 4}); }),
              HasSubstr("at least 9"));
  EXPECT_THAT(error_of([&] { max_pool2d(image, {.padding = "same"}); }), HasSubstr("got \"same\""));
  EXPECT_THAT(error_of([&] { group_norm(image, Tensor(), Tensor(), {.groups = 3}); }), HasSubstr("3 groups"));
  EXPECT_THAT(error_of([&] { bias_add(image, filter); }), HasSubstr("expected a bias [4]"));
}

/// Dense NHWC memory is channels-last for ATen; a result in any other layout would be converted by the next
/// layer.
TEST_F(ImageOpsTest, KeepDenseMemoryWithoutConversion) {
  const std::vector<Tensor> outputs = {
      conv2d(image, filter),
      conv2d(image, filter, {.strides = 2}),
      max_pool2d(image),
      max_pool2d(image, {.pool = 2, .strides = Size2D(1), .padding = "SAME"}),
      avg_pool2d(image, {.pool = 3, .strides = Size2D(2), .padding = "SAME"}),
      batch_norm_training(image, Tensor(), Tensor()).y,
      group_norm(image, Tensor(), Tensor(), {.groups = 2}),
      conv2d_transpose(image, filter = placeholder("f", {3, 3, 6, 4}), {.strides = 2}),
      resize(image, 16),
      relu(image)};
  std::vector<Fetch> fetches(outputs.begin(), outputs.end());
  const auto results = Session(graph).run(
      fetches,
      {{"image", at::ones({2, 8, 8, 4})}, {"filter", at::ones({3, 3, 4, 6})}, {"f", at::ones({3, 3, 6, 4})}});
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_TRUE(results[i].is_contiguous())
        << describe(outputs[i]) << " has strides " << results[i].strides();
  }
}

}  // namespace
}  // namespace belfry
