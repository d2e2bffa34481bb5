#include "belfry/base/rng.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "belfry/base/global_seed.h"

namespace belfry {
namespace {

std::vector<uint64_t> first_bits(Rng rng) {
  return {rng.bits(), rng.bits(), rng.bits()};
}

TEST(Rng, SameSeedAndStreamGiveTheSameNumbersAndOthersDoNot) {
  EXPECT_EQ(first_bits(Rng(7, 1)), first_bits(Rng(7, 1)));
  EXPECT_NE(first_bits(Rng(7, 1)), first_bits(Rng(7, 2)));
  EXPECT_NE(first_bits(Rng(7, 1)), first_bits(Rng(8, 1)));
  EXPECT_NE(first_bits(Rng(uint64_t{1} << 32)), first_bits(Rng(1)));
}

// Expected values: tests/base/rng_values.py.
TEST(Rng, NumbersAreThoseOfMersenneTwisterWithTheStandardsSeeding) {
  EXPECT_THAT(first_bits(Rng(42, 3)),
              testing::ElementsAre(12523044466735400969u, 11396007123420412152u, 63768599874599047u));
  EXPECT_THAT(first_bits(Rng(42, 3, 5)),
              testing::ElementsAre(16884065212422973796u, 8635290607478890419u, 2102571636318332194u));
}

TEST(Rng, BelowIsInRangeAndReachesEveryValue) {
  Rng rng(1);
  for (uint64_t n : {uint64_t{1}, uint64_t{2}, uint64_t{13}}) {
    std::vector<int> count(n);
    for (int i = 0; i < 1300; ++i) ++count.at(rng.below(n));
    EXPECT_GT(*std::min_element(count.begin(), count.end()), 1300 / static_cast<int>(n) / 2);
  }
  EXPECT_LT(rng.below(~uint64_t{0}), ~uint64_t{0});
}

TEST(Rng, UniformIsInTheUnitIntervalWithMeanOneHalf) {
  Rng rng(2);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double u = rng.uniform();
    ASSERT_TRUE(u >= 0 && u < 1) << u;
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.015);  // 5 standard deviations
}

TEST(Rng, ShuffleReachesEveryOrderAboutEquallyOften) {
  Rng rng(3);
  std::vector<int> count(6);
  const std::vector<std::string> orders{"abc", "acb", "bac", "bca", "cab", "cba"};
  for (int i = 0; i < 6000; ++i) {
    std::string s = "abc";
    rng.shuffle(s);
    ++count.at(std::find(orders.begin(), orders.end(), s) - orders.begin());
  }
  for (int c : count) EXPECT_NEAR(c, 1000, 150);
}

TEST(Rng, ShuffleLeavesEmptyAndSingleRangesAlone) {
  Rng rng(4);
  std::vector<int> none, one{5};
  rng.shuffle(none);
  rng.shuffle(one);
  EXPECT_TRUE(none.empty());
  EXPECT_THAT(one, testing::ElementsAre(5));
}

TEST(Rng, AGlobalSeedChangesAllNumbersAndCanBeHadAgain) {
  const std::vector<uint64_t> without = first_bits(Rng(7, 1)), of_datapoint = first_bits(Rng(7, 1, 2));
  fix_rng_seed(42);
  EXPECT_EQ(fixed_rng_seed(), 42u);
  const std::vector<uint64_t> with = first_bits(Rng(7, 1));
  EXPECT_NE(with, without);
  EXPECT_NE(first_bits(Rng(7, 1, 2)), of_datapoint);
  EXPECT_NE(first_bits(Rng(8, 1)), with);
  fix_rng_seed(0);
  EXPECT_NE(first_bits(Rng(7, 1)), with);
  EXPECT_NE(first_bits(Rng(7, 1)), without);
  fix_rng_seed(42);
  EXPECT_EQ(first_bits(Rng(7, 1)), with);
  fix_rng_seed({});
  EXPECT_FALSE(fixed_rng_seed());
  EXPECT_EQ(first_bits(Rng(7, 1)), without);
}

}  // namespace
}  // namespace belfry
