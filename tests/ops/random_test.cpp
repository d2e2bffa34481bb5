#include "belfry/ops/random.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

constexpr int64_t kCount = 100000;

class RandomTest : public testing::Test {
 protected:
  at::Tensor draw(const Tensor& numbers) { return Session(graph).run(numbers); }

  /// Within 5 standard errors of kCount numbers.
  static void expect_moments(const at::Tensor& values, double mean, double stddev) {
    const at::Tensor x = values.to(kFloat64);
    EXPECT_NEAR(x.mean().item<double>(), mean, 5 * stddev / std::sqrt(kCount));
    EXPECT_NEAR(x.std(/*unbiased=*/false).item<double>(), stddev, 5 * stddev / std::sqrt(kCount));
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(RandomTest, UniformNumbersFillTheirInterval) {
  const at::Tensor x = draw(random_uniform({kCount}, -1, 3, {.seed = 1}));
  expect_moments(x, 1, 4 / std::sqrt(12));
  EXPECT_GE(x.min().item<double>(), -1);
  EXPECT_LT(x.max().item<double>(), 3);
}

TEST_F(RandomTest, UniformIntegersAreBelowTheUpperLimit) {
  const at::Tensor x = draw(random_uniform({kCount}, -2, 3, {.dtype = kInt32, .seed = 1}));
  EXPECT_EQ(x.scalar_type(), kInt32);
  EXPECT_EQ(x.min().item<int64_t>(), -2);
  EXPECT_EQ(x.max().item<int64_t>(), 2);
  expect_moments(x, 0, std::sqrt(2));
}

TEST_F(RandomTest, NormalNumbersHaveTheirMoments) {
  expect_moments(draw(random_normal({kCount}, 5, 2, {.seed = 1})), 5, 2);
  expect_moments(draw(random_normal({kCount}, 5, 2, {.dtype = kFloat64, .seed = 2})), 5, 2);
}

/// The standard deviation of the normal distribution cut at ±2 is 0.8796 of that before.
TEST_F(RandomTest, TruncatedNormalNumbersStayWithinTwoDeviations) {
  const at::Tensor x = draw(truncated_normal({kCount}, 1, 0.5, {.seed = 1}));
  EXPECT_LE((x - 1).abs().max().item<double>(), 1 + 1e-6);
  expect_moments(x, 1, 0.5 * 0.87962566);
}

TEST_F(RandomTest, BernoulliGivesOnesWithTheProbability) {
  const at::Tensor x = draw(random_bernoulli({kCount}, 0.3, {.seed = 1}));
  EXPECT_TRUE(x.eq(0).logical_or(x.eq(1)).all().item<bool>());
  expect_moments(x, 0.3, std::sqrt(0.3 * 0.7));
}

TEST_F(RandomTest, NumbersLikeATensorHaveItsShapeAndDtype) {
  const Tensor like = zeros({kCount, 1}, kFloat64);
  const at::Tensor uniform = draw(random_uniform_like(like, 0, 2, {.seed = 1}));
  EXPECT_EQ(uniform.sizes(), (at::IntArrayRef{kCount, 1}));
  EXPECT_EQ(uniform.scalar_type(), kFloat64);
  expect_moments(uniform, 1, 2 / std::sqrt(12));
  expect_moments(draw(random_normal_like(like, 1, 3, {.seed = 1})), 1, 3);
}

TEST_F(RandomTest, NumbersFallOnElementsHoweverThoseLieInMemory) {
  const auto drawn = [&](const at::Tensor& x) {
    const Tensor input = placeholder("x", {8, 16, 4});
    Session session(graph);
    return session.run({random_uniform_like(input, 0, 1, {.seed = 3}),
                        random_normal_like(input, 0, 1, {.seed = 3}), dropout(input, 0.5, {.seed = 3})},
                       {{input, x}});
  };
  const auto expected = drawn(at::ones({8, 16, 4})), result = drawn(at::ones({4, 8, 16}).permute({1, 2, 0}));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(result[i].equal(expected[i])) << i;
}

TEST_F(RandomTest, DropoutIsTheSameWithAnyNumberOfThreads) {
  constexpr int64_t kSize = 100'003;
  const Tensor dropped = dropout(ones({kSize}), 0.25, {.seed = 5});
  const auto drawn = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    Session session(graph);
    const auto result = std::pair(session.run(dropped), session.run(dropped));
    at::set_num_threads(before);
    return result;
  };
  const auto [one, one_more] = drawn(1);
  const auto [two, two_more] = drawn(2);
  const auto [three, three_more] = drawn(3);
  EXPECT_TRUE(two.equal(one) && two_more.equal(one_more));
  EXPECT_TRUE(three.equal(one) && three_more.equal(one_more));
  EXPECT_FALSE(one.equal(one_more));
  const at::Tensor kept = one.gt(0).to(at::kDouble);
  expect_moments(kept, 0.75, std::sqrt(0.75 * 0.25));
  EXPECT_TRUE(one.masked_select(one.gt(0)).eq(static_cast<float>(1 / 0.75)).all().item<bool>());
  for (const int64_t distance : {1, 2, 3, 4, 64}) {
    const at::Tensor both = kept.narrow(0, 0, kSize - distance) * kept.narrow(0, distance, kSize - distance);
    EXPECT_NEAR(both.mean().item<double>(), 0.75 * 0.75, 0.01) << distance;
  }
}

TEST_F(RandomTest, AShapeOfTheRunDecidesHowManyAreDrawn) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  const Tensor noise = random_normal({shape(x), {kDynamic, 3}});
  EXPECT_EQ(noise.shape(), (Shape{kDynamic, 3}));
  EXPECT_EQ(Session(graph).run(noise, {{x, at::zeros({5, 3})}}).sizes(), (at::IntArrayRef{5, 3}));
  const Tensor wrong = random_uniform({shape(x), {kDynamic, 4}});
  EXPECT_THROW(Session(graph).run(wrong, {{x, at::zeros({5, 3})}}), UsageError);
}

TEST_F(RandomTest, ShufflingKeepsRowsWhole) {
  const at::Tensor rows = at::arange(200).reshape({100, 2});
  const at::Tensor shuffled = draw(random_shuffle(constant(rows), {.seed = 1}));
  EXPECT_FALSE(shuffled.equal(rows));
  EXPECT_TRUE((shuffled.select(1, 1) - shuffled.select(1, 0)).eq(1).all().item<bool>());
  EXPECT_TRUE(std::get<0>(shuffled.reshape(-1).sort()).equal(at::arange(200)));
}

TEST_F(RandomTest, CategoriesComeAsOftenAsTheirLogitsSay) {
  const at::Tensor probabilities = at::tensor({0.5, 0.2, 0.3, 0.0}).reshape({1, 4});
  const at::Tensor classes = draw(random_categorical(constant(at::log(probabilities)), kCount, {.seed = 1}));
  const at::Tensor counts = classes.reshape(-1).bincount({}, 4).to(kFloat64).reshape({1, 4});
  EXPECT_TRUE(test::close(counts / kCount, probabilities, {.absolute = 0.01}));
}

TEST_F(RandomTest, ASeedGivesTheSameNumbersInEverySessionAndNewOnesInEveryRun) {
  const Tensor x = random_normal({10}, 0, 1, {.seed = 7});
  const Tensor y = random_normal({10}, 0, 1, {.seed = 8});
  Session session(graph);
  const at::Tensor first = session.run(x);
  EXPECT_TRUE(draw(x).equal(first));
  EXPECT_FALSE(session.run(x).equal(first));
  EXPECT_FALSE(draw(y).equal(first));
}

TEST_F(RandomTest, TheSeedOfTheGraphGivesEachNodeItsOwnNumbers) {
  graph.set_seed(3);
  const Tensor x = random_uniform({10}), y = random_uniform({10});
  EXPECT_TRUE(draw(x).equal(draw(x)));
  EXPECT_FALSE(draw(x).equal(draw(y)));
}

TEST_F(RandomTest, NumbersOutOfRangeAreErrors) {
  EXPECT_THROW(random_uniform({2}, 1, 1), UsageError);
  EXPECT_THROW(random_bernoulli({2}, 1.5), UsageError);
  EXPECT_THROW(random_shuffle(constant(1.0)), UsageError);
  EXPECT_THROW(random_categorical(zeros({3}), 2), UsageError);
}

}  // namespace
}  // namespace belfry
