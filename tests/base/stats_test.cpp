#include "belfry/base/stats.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "belfry/base/error.h"

namespace belfry {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

const std::vector<double> kValues = {3.5, -1.25, 7.0, 0.125, 2.0};

// Expected values of all: tests/base/stats_values.py.

TEST(StatCounter, KnowsTheStatisticsOfWhatItWasFed) {
  StatCounter counter;
  for (double value : kValues) counter.feed(value);
  EXPECT_EQ(counter.count(), 5);
  EXPECT_DOUBLE_EQ(counter.average(), 2.275);
  EXPECT_DOUBLE_EQ(counter.sum(), 11.375);
  EXPECT_EQ(counter.max(), 7);
  EXPECT_EQ(counter.min(), -1.25);
  EXPECT_EQ(counter.samples(), kValues);
  counter.reset();
  EXPECT_EQ(counter.count(), 0);
  EXPECT_THROW(counter.average(), UsageError);
  EXPECT_THROW(counter.max(), UsageError);
}

TEST(StatCounter, SumsExactly) {
  StatCounter counter;
  for (double value : {1e16, 1.0, 1.0, -1e16}) counter.feed(value);
  EXPECT_EQ(counter.sum(), 2);
  counter.feed(std::numeric_limits<double>::infinity());
  EXPECT_EQ(counter.sum(), std::numeric_limits<double>::infinity());
}

TEST(RatioCounter, CountsParts) {
  RatioCounter ratio;
  EXPECT_EQ(ratio.ratio(), 0);
  ratio.feed(3, 4);
  ratio.feed(0, 3);
  ratio.feed(1);
  EXPECT_EQ(ratio.ratio(), 0.5);
  EXPECT_EQ(ratio.count(), 4);
  EXPECT_EQ(ratio.total(), 8);
  Accuracy accuracy;
  accuracy.feed(9, 10);
  EXPECT_EQ(accuracy.accuracy(), 0.9);
}

TEST(BinaryStatistics, IsTensorpacks) {
  BinaryStatistics binary;
  EXPECT_EQ(binary.precision(), 0);
  EXPECT_EQ(binary.false_negative(), 0);
  const bool predictions[] = {true, true, true, false, false, false, false};
  const bool labels[] = {true, false, true, false, false, true, true};
  for (int i = 0; i < 7; ++i) binary.feed(predictions[i], labels[i]);
  EXPECT_DOUBLE_EQ(binary.precision(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(binary.recall(), 0.5);
  EXPECT_DOUBLE_EQ(binary.false_positive(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(binary.false_negative(), 0.5);
  EXPECT_THAT((std::vector{binary.positives(), binary.negatives(), binary.predicted_positives(),
                           binary.predicted_negatives()}),
              ElementsAre(4, 3, 3, 4));
}

TEST(OnlineMoments, IsTensorpacks) {
  OnlineMoments moments, rows(2);
  EXPECT_THROW(moments.variance(), UsageError);
  for (double value : kValues) {
    moments.feed(value);
    rows.feed({value, 10 * value + 1});
  }
  EXPECT_DOUBLE_EQ(moments.mean(), 2.275);
  EXPECT_DOUBLE_EQ(moments.variance(), 10.237500000000002);
  EXPECT_DOUBLE_EQ(moments.std(), 3.1996093511552317);
  EXPECT_THAT(rows.means(), ElementsAre(DoubleNear(2.275, 1e-12), DoubleNear(23.75, 1e-12)));
  EXPECT_THAT(rows.variances(), ElementsAre(DoubleNear(10.2375, 1e-12), DoubleNear(1023.75, 1e-10)));
  EXPECT_THROW(rows.feed(1), UsageError);
  EXPECT_THROW(OnlineMoments(-1), UsageError);
}

}  // namespace
}  // namespace belfry
