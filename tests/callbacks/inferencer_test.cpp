#include "belfry/callbacks/inferencer.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(ScalarStats, WeighsBatchesByTheirSize) {
  ScalarStats stats({"a", "tower/b:0"});
  stats.before_inference();
  stats.on_fetches({at::scalar_tensor(1), at::scalar_tensor(10)}, 3);
  stats.on_fetches({at::scalar_tensor(5), at::scalar_tensor(30)}, 1);
  EXPECT_THAT(stats.after_inference(), ElementsAre(Pair("validation_a", 2), Pair("validation_tower/b", 15)));
}

TEST(ScalarStats, ThePrefixCanBeOmitted) {
  ScalarStats stats("cost", "");
  stats.before_inference();
  stats.on_fetches({at::scalar_tensor(4)}, 2);
  EXPECT_THAT(stats.after_inference(), ElementsAre(Pair("cost", 4)));
}

TEST(ClassificationError, CountsSamples) {
  ClassificationError error("wrong", "val-error");
  for (int round = 0; round < 2; ++round) {
    error.before_inference();
    error.on_fetches({at::tensor({1.f, 0.f, 0.f})}, 3);
    error.on_fetches({at::ones({1}, at::kBool)}, 1);
    EXPECT_THAT(error.after_inference(), ElementsAre(Pair("val-error", 0.5)));
  }
}

TEST(ClassificationError, HasTensorpacksNames) {
  ClassificationError error;
  EXPECT_THAT(error.get_fetches(), ElementsAre("incorrect_vector"));
  error.before_inference();
  EXPECT_THAT(error.after_inference(), ElementsAre(Pair("validation_error", 0)));
}

TEST(BinaryClassificationStats, GivesPrecisionAndRecall) {
  struct Case {
    std::vector<int64_t> predicted, labels;
    double precision, recall;
  };
  for (const Case& c : {Case{{1, 1, 1, 0, 0}, {1, 0, 1, 1, 0}, 2 / 3., 2 / 3.}, Case{{0, 0}, {1, 0}, 0, 0},
                        Case{{1, 0}, {0, 0}, 0, 0}, Case{{1, 1}, {1, 1}, 1, 1}, Case{{1}, {1}, 1, 1}}) {
    BinaryClassificationStats stats("predicted", "label");
    stats.before_inference();
    stats.on_fetches({at::tensor(c.predicted), at::tensor(c.labels)}, 1);
    EXPECT_THAT(stats.after_inference(),
                ElementsAre(Pair("val_precision", c.precision), Pair("val_recall", c.recall)));
  }
}

TEST(Inferencers, RefuseShapesThatCannotBeRight) {
  ScalarStats stats("a");
  stats.before_inference();
  EXPECT_THROW(stats.on_fetches({at::zeros({2})}, 2), UsageError);
  EXPECT_THROW(ClassificationError().on_fetches({at::zeros({})}, 2), UsageError);
  EXPECT_THROW(BinaryClassificationStats("a", "b").on_fetches({at::zeros({2}), at::zeros({3})}, 2),
               UsageError);
}

}  // namespace
}  // namespace belfry
