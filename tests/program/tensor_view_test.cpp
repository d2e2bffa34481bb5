#include "belfry/program/tensor_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <numeric>

namespace belfry::internal {
namespace {

using testing::ElementsAre;

class TensorViewTest : public testing::Test {
 protected:
  TensorViewTest() { std::iota(values_.begin(), values_.end(), 0.F); }

  /// The numbers from 0 on in their order.
  TensorView count(Sizes sizes) {
    auto memory = std::make_shared<Memory>(Memory{.data = values_.data(), .bytes = sizeof(values_)});
    return {std::move(memory), ElementType::kFloat32, std::move(sizes)};
  }
  static float first(const TensorView& view) { return *view.data_as<float>(); }

  std::array<float, 120> values_;
};

TEST_F(TensorViewTest, AFreshOneIsDense) {
  const TensorView view = count({2, 3, 4});
  EXPECT_THAT(view.strides(), ElementsAre(12, 4, 1));
  EXPECT_TRUE(view.is_contiguous());
  EXPECT_EQ(view.numel(), 24);
  EXPECT_EQ(view.nbytes(), 96);
  EXPECT_EQ(view.size(-1), 4);
  EXPECT_FALSE(TensorView().defined());
}

TEST_F(TensorViewTest, ATransposedOneLooksAtTheSameMemory) {
  const TensorView view = count({2, 3, 4}).transpose(0, 2);
  EXPECT_THAT(view.sizes(), ElementsAre(4, 3, 2));
  EXPECT_THAT(view.strides(), ElementsAre(1, 4, 12));
  EXPECT_FALSE(view.is_contiguous());
  EXPECT_EQ(first(view), 0);
}

TEST_F(TensorViewTest, AnAxisOfOneElementDoesNotMakeItLessDense) {
  EXPECT_TRUE(count({5, 1, 4}).transpose(0, 1).is_contiguous());
}

TEST_F(TensorViewTest, OneWithoutElementsIsDense) {
  const TensorView view = count({3, 0, 2});
  EXPECT_THAT(view.strides(), ElementsAre(2, 2, 1));
  EXPECT_TRUE(view.transpose(0, 2).is_contiguous());
  EXPECT_EQ(view.numel(), 0);
}

TEST_F(TensorViewTest, ANarrowedOneBeginsFurtherOn) {
  const TensorView view = count({4, 5}).narrow(0, 1, 2).narrow(1, 2, 3);
  EXPECT_THAT(view.sizes(), ElementsAre(2, 3));
  EXPECT_EQ(view.offset(), 7);
  EXPECT_EQ(first(view), 7);
  EXPECT_FALSE(view.is_contiguous());
}

TEST_F(TensorViewTest, AnAxisMayBecomeSeveral) {
  const TensorView view = count({2, 12}).narrow(1, 0, 6).unflatten(1, {3, 2});
  EXPECT_THAT(view.sizes(), ElementsAre(2, 3, 2));
  EXPECT_THAT(view.strides(), ElementsAre(12, 2, 1));
}

TEST_F(TensorViewTest, ADenseOneTakesOtherSizes) {
  EXPECT_THAT(as_matrix(count({2, 3, 4})).sizes(), ElementsAre(6, 4));
  EXPECT_THAT(as_matrix(count({4})).sizes(), ElementsAre(1, 4));
}

TEST_F(TensorViewTest, ItFollowsItsMemory) {
  const TensorView view = count({2, 2}).narrow(0, 1, 1);
  std::array<float, 4> elsewhere = {5, 6, 7, 8};
  view.memory()->data = elsewhere.data();
  EXPECT_EQ(first(view), 7);
}

}  // namespace
}  // namespace belfry::internal
