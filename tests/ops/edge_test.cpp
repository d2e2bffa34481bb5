#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/signbit.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/ops/call.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using Inputs = std::vector<Tensor>;
using Function = std::function<Tensor(const Inputs&)>;

/// Equal, NaN and the sign of zero included, up to rounding.
testing::AssertionResult same(const at::Tensor& actual, const at::Tensor& expected, bool signs) {
  if (actual.sizes() != expected.sizes())
    return testing::AssertionFailure() << actual.sizes() << " for " << expected.sizes();
  const at::Tensor a = actual.to(at::kDouble), b = expected.to(at::kDouble);
  at::Tensor fits = a.eq(b) | (a.isnan() & b.isnan()) | ((a - b).abs() <= b.abs() * 1e-6);
  if (signs) fits = fits & (a.signbit().eq(b.signbit()) | a.isnan());
  if (fits.all().item<bool>()) return testing::AssertionSuccess();
  const int64_t at = fits.reshape(-1).logical_not().nonzero()[0].item<int64_t>();
  return testing::AssertionFailure() << fits.logical_not().sum().item<int64_t>() << " differ; element " << at
                                     << " is " << a.reshape(-1)[at].item<double>() << ", expected "
                                     << b.reshape(-1)[at].item<double>();
}

/// The cases of edge_baseline.py.
const std::map<std::string, Function>& functions() {
  static const Function divide = [](const Inputs& in) { return floor_div(in[0], in[1]); };
  static const Function remain = [](const Inputs& in) { return floor_mod(in[0], in[1]); };
  static const std::map<std::string, Function> map = {
      {"floor_div", divide},
      {"floor_div_whole", divide},
      {"floor_div_float64", divide},
      {"floor_div_int32", divide},
      {"floor_div_int64", divide},
      {"floor_div_uint8", divide},
      {"floor_div_by_number", [](const Inputs& in) { return floor_div(in[0], 0.1); }},
      {"floor_mod", remain},
      {"floor_mod_whole", remain},
      {"floor_mod_float64", remain},
      {"floor_mod_int32", remain},
      {"floor_mod_int64", remain},
      {"floor_mod_by_number", [](const Inputs& in) { return floor_mod(in[0], 0.1); }},
      {"remainder_of_floor_div", [](const Inputs& in) { return in[0] - floor_div(in[0], 2.0) * 2; }},
      {"clip", [](const Inputs& in) { return clip_by_value(in[0], -1, 1); }},
      {"clip_int64", [](const Inputs& in) { return clip_by_value(in[0], 0, 1e9); }},
      {"clip_uint8", [](const Inputs& in) { return clip_by_value(in[0], 0, 200); }},
      {"maximum", [](const Inputs& in) { return maximum(in[0], in[1]); }},
      {"minimum", [](const Inputs& in) { return minimum(in[0], in[1]); }},
      {"maximum_of_number", [](const Inputs& in) { return maximum(in[0], 0.0); }},
      {"minimum_of_number", [](const Inputs& in) { return minimum(in[0], 1.0); }},
      {"maximum_broadcast", [](const Inputs& in) { return maximum(in[0], in[1]); }},
      {"pow", [](const Inputs& in) { return pow(in[0], in[1]); }},
      {"pow_of_number", [](const Inputs& in) { return pow(-2.0, in[0]); }},
      {"pow_int32", [](const Inputs& in) { return pow(in[0], in[1]); }},
      {"selu", [](const Inputs& in) { return selu(in[0]); }},
      {"relu6", [](const Inputs& in) { return relu6(in[0]); }},
      {"max_of_nothing", [](const Inputs& in) { return max(in[0], 1); }},
      {"min_of_nothing", [](const Inputs& in) { return min(in[0]); }},
      {"max_of_no_int32", [](const Inputs& in) { return max(in[0], 1); }},
      {"min_of_no_int64", [](const Inputs& in) { return min(in[0], 1); }},
      {"max_of_no_uint8",
       [](const Inputs& in) {
         return max(in[0], {0, 1});
       }},
      {"one_hot_of_depth_0", [](const Inputs& in) { return one_hot(in[0], 0); }},
      {"space_to_depth_of_nothing", [](const Inputs& in) { return space_to_depth(in[0], 2); }},
      {"depth_to_space_of_nothing", [](const Inputs& in) { return depth_to_space(in[0], 2); }},
      {"absolute_difference", [](const Inputs& in) { return absolute_difference(in[0], in[1]); }},
      {"top_k", [](const Inputs& in) { return topk(in[0], 5).second; }},
      {"top_k_of_few", [](const Inputs& in) { return topk(in[0], 7).second; }},
      {"top_k_of_many", [](const Inputs& in) { return topk(in[0], 100).second; }},
      {"top_k_of_int32", [](const Inputs& in) { return topk(in[0], 1000).second; }},
      {"argmax", [](const Inputs& in) { return argmax(in[0], 1); }},
      {"argmin", [](const Inputs& in) { return argmin(in[0], 1); }},
      {"argmax_of_columns", [](const Inputs& in) { return argmax(in[0], 0); }},
      {"argsort", [](const Inputs& in) { return argsort(in[0], {.axis = 0}); }},
      {"argsort_descending",
       [](const Inputs& in) { return argsort(in[0], {.axis = 0, .descending = true}); }},
      {"in_top_k", [](const Inputs& in) { return in_top_k(in[0], in[1], 2); }},
  };
  return map;
}

/// Values of the session and of a compiled program, and gradients of their sums.
TEST(Edges, GiveWhatTensorFlowGives) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir dir;
  test::run_python("tests/ops/edge_baseline.py", {dir / "edges.npz"});
  const auto expected = load_checkpoint(dir / "edges.npz");
  for (const auto& [name, function] : functions()) {
    SCOPED_TRACE(name);
    Graph graph;
    GraphScope as_default(graph);
    Inputs inputs;
    std::vector<at::Tensor> values;
    while (expected.contains(name + "/" + std::to_string(inputs.size()))) {
      values.push_back(expected.at(name + "/" + std::to_string(inputs.size())));
      inputs.push_back(placeholder("x", values.back().sizes().vec(), values.back().scalar_type()));
    }
    ASSERT_FALSE(inputs.empty()) << "edge_baseline.py has no such case";
    const Tensor y = function(inputs);
    const at::Tensor& value = expected.at(name + "/value");
    const bool whole = !value.is_floating_point();
    EXPECT_EQ(c10::isFloatingType(y.dtype()), !whole);
    EXPECT_EQ(y.shape(), value.sizes().vec());
    Session session(graph);
    const Callable run = session.make_callable({inputs.begin(), inputs.end()}, {y});
    EXPECT_TRUE(same(run(values)[0], value, !whole));
    const auto compiled = compile(session, {inputs.begin(), inputs.end()}, {y});
    EXPECT_TRUE(same(compiled(values)[0], value, false)) << "compiled";
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto gradient = expected.find(name + "/d" + std::to_string(i));
      if (gradient == expected.end()) continue;
      const Tensor total = sum(y);
      const Tensor dx = gradients(total, {inputs[i]})[0];
      EXPECT_TRUE(same(session.make_callable({inputs.begin(), inputs.end()}, {dx})(values)[0],
                       gradient->second, false))
          << "gradient " << i;
    }
  }
}

Tensor integers(std::initializer_list<int64_t> values, DType dtype = kInt64) {
  return constant(at::tensor(at::ArrayRef<int64_t>(values)).to(dtype));
}
Tensor numbers(std::initializer_list<double> values, DType dtype = kFloat32) {
  return constant(at::tensor(at::ArrayRef<double>(values)).to(dtype));
}

class EdgeTest : public testing::Test {
 protected:
  at::Tensor run(const Tensor& tensor) { return Session(graph).run(tensor); }
  std::string failure(const Tensor& tensor) {
    try {
      run(tensor);
    } catch (const DataError& e) {
      return e.what();
    }
    return "";
  }

  Graph graph;
  GraphScope as_default{graph};
};

/// NaN counts as the largest, and equal to NaN.
TEST_F(EdgeTest, TopKPutsTheLowerIndexFirstAmongEquals) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (DType dtype : {kFloat32, kFloat64, kBFloat16}) {
    const Tensor x = constant(at::tensor({1., nan, 3., nan, 3.}).to(dtype));
    EXPECT_TRUE(run(topk(x, 4).second).equal(at::tensor({1, 3, 2, 4}).to(at::kLong)));
    EXPECT_TRUE(run(argsort(x, {.descending = true})).equal(at::tensor({1, 3, 2, 4, 0}).to(at::kLong)));
    EXPECT_TRUE(run(argsort(x)).equal(at::tensor({0, 2, 4, 1, 3}).to(at::kLong)));
    EXPECT_EQ(run(argmax(x, 0)).item<int64_t>(), 1);
    EXPECT_EQ(run(argmin(x, 0)).item<int64_t>(), 1);
  }
  const Tensor column = zeros({50, 2});
  const auto smallest = call_multi("aten::topk", {column}, {{"k", 3}, {"dim", 0}, {"largest", false}});
  EXPECT_TRUE(run(smallest[1]).equal(at::tensor({0, 0, 1, 1, 2, 2}).to(at::kLong).reshape({3, 2})));
}

TEST_F(EdgeTest, TopKHasTheGradientOfItsElements) {
  const Tensor x = numbers({1, 5, 5, 2});
  const Tensor weights = constant(at::tensor({1., 10.}).to(at::kDouble));
  const Tensor dx = gradients(sum(cast(topk(x, 2).first, kFloat64) * weights), {x})[0];
  EXPECT_TRUE(run(dx).to(at::kDouble).equal(at::tensor({0., 1., 10., 0.}).to(at::kDouble)));
}

TEST_F(EdgeTest, IntegersDividedByZeroAreAnError) {
  const Tensor x = integers({1, 2}), zero = zeros({2}, kInt64);
  EXPECT_THAT(failure(floor_div(x, zero)), HasSubstr("ZeroDivisionError"));
  EXPECT_THAT(failure(floor_mod(x, zero)), HasSubstr("ZeroDivisionError"));
}

TEST_F(EdgeTest, IntegersHaveNoNegativePower) {
  const Tensor base = integers({2, 3}), exponent = integers({1, -2});
  EXPECT_THAT(failure(pow(base, exponent)),
              HasSubstr("expected exponents of at least 0 for integers, got -2"));
  EXPECT_THAT(failure(pow(2, exponent)), HasSubstr("expected exponents of at least 0 for integers, got -2"));
  EXPECT_TRUE(run(pow(2.0, exponent)).equal(at::tensor({2., 0.25}).to(at::kFloat)));
}

TEST_F(EdgeTest, ClipByValueOfIntegersTakesWholeLimits) {
  const Tensor x = integers({-300, 5, 300}, kInt32);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(run(clip_by_value(x, -infinity, 7)).equal(at::tensor({-300, 5, 7}).to(at::kInt)));
  EXPECT_TRUE(run(clip_by_value(cast(x, kUInt8), -5, 1e12)).equal(at::tensor({212, 5, 44}).to(at::kByte)));
  try {
    clip_by_value(x, 0, 0.5);
    ADD_FAILURE() << "took a fraction";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("expected whole numbers as limits of"));
  }
}

TEST_F(EdgeTest, NegativeIndicesAreRefused) {
  const Tensor x = numbers({1, 2, 3}), indices = reshape(integers({0, -1}), {2, 1});
  EXPECT_THAT(failure(gather_nd(x, indices)), HasSubstr("expected indices of at least 0, got -1"));
  EXPECT_THAT(failure(scatter_nd(indices, numbers({1, 2}), {3})),
              HasSubstr("expected indices of at least 0, got -1"));
  EXPECT_FALSE(failure(gather(x, reshape(indices, {2}))).empty());
}

/// Not with what the dtype would make of them.
TEST_F(EdgeTest, IntegersAreComparedWithNumbersThatTheyCannotBe) {
  const Tensor byte = cast(constant(1), kUInt8), small = cast(constant(1), kInt8),
               number = cast(constant(1), kInt32);
  const int64_t billions = 3'000'000'000;
  const std::vector<std::pair<Tensor, bool>> comparisons = {
      {byte > -1, true},           {byte < 257, true},
      {equal(byte, 257), false},   {not_equal(cast(constant(255), kUInt8), -1), true},
      {small < 129, true},         {small >= -200, true},
      {number < billions, true},   {billions > number, true},
      {billions <= number, false}, {equal(number, (int64_t{1} << 32) + 1), false},
      {number < 2, true}};
  for (size_t i = 0; i < comparisons.size(); ++i)
    EXPECT_EQ(run(comparisons[i].first).item<bool>(), comparisons[i].second) << i;
}

TEST_F(EdgeTest, SplitOfNothingGivesAsManyParts) {
  const auto parts = split(placeholder("x", {0, 2}), 3, 0);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].shape(), (Shape{0, 2}));
  EXPECT_EQ(run(split(zeros({0, 2}), 3, 0)[2]).sizes(), (std::vector<int64_t>{0, 2}));
}

TEST_F(EdgeTest, ImagesOfWrongDTypesAndBlocksAreRefusedWhereWritten) {
  EXPECT_THROW(resize(placeholder("x", {1, 4, 4, 1}, kInt32), {2, 2}), UsageError);
  EXPECT_THROW(resize(placeholder("x", {1, 4, 4, 1}, kInt64), {2, 2}, {.method = ResizeMethod::kNearest}),
               UsageError);
  EXPECT_THROW(space_to_depth(placeholder("x", {1, 4, 4, 1}), 1), UsageError);
  EXPECT_THROW(depth_to_space(placeholder("x", {1, 4, 4, 4}), 1), UsageError);
}

TEST_F(EdgeTest, LabelsOfWholeNumbersAreRefusedWhereFractionsAreMeant) {
  const Tensor logits = placeholder("logits", {3});
  for (const DType dtype : {kInt64, kInt32, kUInt8})
    EXPECT_THROW(sigmoid_cross_entropy(logits, placeholder("labels", {3}, dtype)), UsageError);
}

TEST_F(EdgeTest, BatchNormHasGradientsByItsStatistics) {
  const at::Tensor values = at::arange(24, at::kDouble).square().remainder(7).reshape({2, 3, 2, 2});
  const Tensor x = constant(values), scale = numbers({2, -1}, kFloat64), offset = numbers({1, 3}, kFloat64);
  const auto [mean, variance] = moments(x, {0, 1, 2});
  const Tensor weights = constant(at::arange(24, at::kDouble).sin().reshape({2, 3, 2, 2}));
  const Tensor y = batch_norm(x, mean, variance, scale, offset);
  const Tensor expected = batch_norm_training(x, scale, offset).y;
  EXPECT_TRUE(test::close(run(y), run(expected), test::kSameSums));
  for (const Tensor& by : {x, scale, offset}) {
    EXPECT_TRUE(test::close(run(gradients(sum(y * weights), {by})[0]),
                            run(gradients(sum(expected * weights), {by})[0]), test::kSameSums));
  }
}

}  // namespace
}  // namespace belfry
