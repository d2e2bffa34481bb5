#include "belfry/graph/shape_inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ShapeInferenceTest : public testing::Test {
 protected:
  static Tensor input(const Shape& shape, DType dtype = kFloat32) { return placeholder("x", shape, dtype); }
  template <typename F>
  static std::string error_of(F&& work) {
    try {
      work();
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(ShapeInferenceTest, OnlyTheDimensionThatMeetsAStaticSizeIsBound) {
  EXPECT_THAT((input({kDynamic, kDynamic}) + input({12})).shape(), ElementsAre(kDynamic, 12));
  EXPECT_THAT(matmul(input({kDynamic, kDynamic}), input({784, 10})).shape(), ElementsAre(kDynamic, 10));
  EXPECT_THAT(concat({input({kDynamic, kDynamic}), input({3, 4})}, 0).shape(), ElementsAre(kDynamic, 4));
}

TEST_F(ShapeInferenceTest, DimensionsMayMeetDifferentStaticSizes) {
  const Tensor images = input({kDynamic, kDynamic, kDynamic, 3});
  EXPECT_THAT((images - input({224, 320, 3})).shape(), ElementsAre(kDynamic, 224, 320, 3));
}

TEST_F(ShapeInferenceTest, OperatorsWithARuleMeetStaticSizes) {
  const Tensor mask = input({kDynamic}, kBool);
  EXPECT_THAT(where(mask, input({12}), input({12})).shape(), ElementsAre(12));
  const Tensor x = input({kDynamic, kDynamic, kDynamic, kDynamic});
  EXPECT_THAT(call("aten::conv2d", {x, input({16, 3, 3, 3})}).shape(),
              ElementsAre(kDynamic, 16, kDynamic, kDynamic));
}

TEST_F(ShapeInferenceTest, OperatorsThatRunOnTheCpuMeetStaticSizes) {
  const Tensor x = input({kDynamic, kDynamic}), y = input({kDynamic, 7});
  EXPECT_THAT(call("aten::_cdist_forward", {x, y}, {{"p", 2.0}, {"compute_mode", {}}}).shape(),
              ElementsAre(kDynamic, kDynamic));
}

TEST_F(ShapeInferenceTest, AReshapeTakesAnyNumberOfElements) {
  const Tensor x = input({kDynamic});
  EXPECT_THAT(reshape(x, {-1, 32}).shape(), ElementsAre(kDynamic, 32));
  EXPECT_THAT(reshape(x, {-1, 50, 11}).shape(), ElementsAre(kDynamic, 50, 11));
  EXPECT_THAT(reshape(input({kDynamic, 10}), {32, 10}).shape(), ElementsAre(32, 10));
  EXPECT_THAT(reshape(input({kDynamic, 10}), {64, 5}).shape(), ElementsAre(64, 5));
  EXPECT_THAT(reshape(input({4, 6}), {-1, 8}).shape(), ElementsAre(3, 8));
}

TEST_F(ShapeInferenceTest, AReshapeThatNoSizeFitsIsAnError) {
  EXPECT_THAT(error_of([] {
                reshape(input({kDynamic, 10}), {32, 9});
              }),
              AllOf(HasSubstr("[?, 10]"), HasSubstr("[32, 9]")));
  EXPECT_THAT(error_of([] { reshape(input({4, 6}), {5, -1}); }), HasSubstr("[4, 6]"));
  EXPECT_THAT(error_of([] { reshape(input({4, 6}), {-1, -1}); }), HasSubstr("[-1, -1]"));
  EXPECT_THAT(error_of([] { reshape(input({4, 6}), {INT64_MAX, 3}); }), HasSubstr("elements"));
}

TEST_F(ShapeInferenceTest, NumbersBeyondTheTestSizesAreFine) {
  const Tensor x = input({kDynamic, 3});
  EXPECT_THAT(split(x, 32, 0)[31].shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(split(x, 11 * 13, 0)[0].shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(slice(x, {5040, 0}, {5040, 3}).shape(), ElementsAre(5040, 3));
  EXPECT_THAT(topk(input({kDynamic}), 100000).first.shape(), ElementsAre(100000));
}

TEST_F(ShapeInferenceTest, ManyDynamicDimensionsAreFine) {
  const Tensor x = input(Shape(8, kDynamic));
  EXPECT_EQ((x + x).shape(), Shape(8, kDynamic));
}

// TensorFlow's static shapes of these have no size in dimension 0 either.
TEST_F(ShapeInferenceTest, ALimitThatBothLargeTrialsPassIsNoStaticSize) {
  const Tensor x = input({kDynamic, 3});
  EXPECT_THAT(strided_slice(x, {0}, {10}, {1}).shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(strided_slice(x, {-2}, {3}, {1}).shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(strided_slice(x, {9}, {2}, {-1}).shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(strided_slice(x, {0}, {1}, {1}).shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(strided_slice(x, {-6}, {-4}, {2}).shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(strided_slice(x, {0, 1}, {2, 3}, {1, 1}).shape(), ElementsAre(kDynamic, 2));
  EXPECT_THAT(diag_part(input({kDynamic, 2})).shape(), ElementsAre(kDynamic));
  EXPECT_THAT(diag_part(input({6000, kDynamic})).shape(), ElementsAre(kDynamic));
}

TEST_F(ShapeInferenceTest, ALimitAboveTheTestSizesIsSeen) {
  EXPECT_THAT(strided_slice(input({kDynamic}), {0}, {INT32_MAX}, {20000}).shape(), ElementsAre(kDynamic));
  EXPECT_THAT(avg_pool2d(input({1, kDynamic, 30000, 1}), {.pool = 1, .strides = 20000}).shape(),
              ElementsAre(1, kDynamic, 2, 1));
}

TEST_F(ShapeInferenceTest, TheDifferenceOfTwoDynamicSizesIsDynamic) {
  const Tensor x = input({kDynamic, kDynamic, kDynamic, 3}), filter = input({kDynamic, kDynamic, 3, 8});
  EXPECT_THAT(conv2d(x, filter, {.padding = "VALID"}).shape(), ElementsAre(kDynamic, kDynamic, kDynamic, 8));
}

TEST_F(ShapeInferenceTest, ASizeThatDecidesTheRankMustBeStatic) {
  EXPECT_THAT(error_of([] {
                gather_nd(input({3, 1, 4}), input({4, kDynamic}, kInt64));
              }),
              HasSubstr("rank depends on a dynamic dimension"));
  EXPECT_THAT(error_of([] { reshape(input({6, 2}), input({kDynamic}, kInt64)); }), HasSubstr("rank"));
  EXPECT_THAT(error_of([] { call("aten::squeeze", {input({kDynamic, 3})}); }), HasSubstr("rank"));
  EXPECT_THAT(reshape(input({6, 2}), {input({kDynamic}, kInt64), {kDynamic, 3}}).shape(),
              ElementsAre(kDynamic, 3));
}

TEST_F(ShapeInferenceTest, ADynamicSizeMeetsAStaticZero) {
  const Tensor x = input({kDynamic});
  EXPECT_THAT(less(x, input({0})).shape(), ElementsAre(0));
  EXPECT_THAT((x * input({0})).shape(), ElementsAre(0));
  EXPECT_THAT(stack({x, input({0})}).shape(), ElementsAre(2, 0));
  EXPECT_THAT(where(input({kDynamic}, kBool), x, input({0})).shape(), ElementsAre(0));
}

TEST_F(ShapeInferenceTest, ADynamicSizeMayBeSplitIntoNothing) {
  const Tensor x = input({kDynamic, 1});
  EXPECT_THAT(split(x, std::vector<int64_t>{0}, 0)[0].shape(), ElementsAre(0, 1));
  EXPECT_THAT(broadcast_to(input({kDynamic, kDynamic, 2}), {0, 5, 2}).shape(), ElementsAre(0, 5, 2));
}

TEST_F(ShapeInferenceTest, AFilterOfUnknownHeightGivesUnknownRows) {
  const Tensor x = input({2, 12, 10, 8}), filter = input({kDynamic, 3, 8, 3});
  EXPECT_THAT(conv2d(x, filter, {.strides = 3, .padding = "VALID"}).shape(), ElementsAre(2, kDynamic, 3, 3));
}

TEST_F(ShapeInferenceTest, AResultThatLooksLikeTheFilterIsNoOperatorByElement) {
  const Tensor x = input({kDynamic, kDynamic, 2, 1}), filter = input({kDynamic, 1, 1, 3});
  const Tensor y = depthwise_conv2d(x, filter, {.strides = 3, .padding = "VALID"});
  EXPECT_THAT(y.shape(), ElementsAre(kDynamic, kDynamic, 1, 3));
}

// The kernel without data lacks this case.
TEST_F(ShapeInferenceTest, AVectorOfUnknownSizeMeetsAnotherInAProduct) {
  EXPECT_THAT(tensordot(input({kDynamic}), input({5}), 1).shape(), ElementsAre());
  EXPECT_THAT(tensordot(input({4, kDynamic}), input({4, 4}), 2).shape(), ElementsAre());
}

TEST_F(ShapeInferenceTest, ManyDimensionsMeetStaticOnes) {
  const Tensor x = input({1, 0, kDynamic, 3}), y = input({kDynamic, 0, 3, 3});
  const Tensor z = input({kDynamic, 0, kDynamic, kDynamic});
  EXPECT_THAT(stack({x, y, z}, 2).shape(), ElementsAre(1, 0, 3, 3, 3));
}

TEST_F(ShapeInferenceTest, ManyDimensionsMeetStaticSizes) {
  const Tensor mask = input({kDynamic, kDynamic, kDynamic}, kBool), x = input({kDynamic, kDynamic, 7});
  EXPECT_THAT(where(mask, x, input({3, 5, 7})).shape(), ElementsAre(3, 5, 7));
}

TEST_F(ShapeInferenceTest, WhatIsBoundNeedlesslyIsFree) {
  const Tensor x = input({kDynamic, kDynamic, kDynamic});
  EXPECT_THAT(concat({x, input({2, 3, 4})}, 0).shape(), ElementsAre(kDynamic, 3, 4));
  EXPECT_THAT(concat({x, input({2, 3, 4})}, 1).shape(), ElementsAre(2, kDynamic, 4));
}

TEST_F(ShapeInferenceTest, SizesOfASplitAddUpToADynamicOne) {
  const auto parts = split(input({kDynamic}), std::vector<int64_t>{1, 2}, 0);
  EXPECT_THAT(parts[0].shape(), ElementsAre(1));
  EXPECT_THAT(parts[1].shape(), ElementsAre(2));
}

TEST_F(ShapeInferenceTest, AProductOfANumberAndASizeIsMet) {
  const Tensor x = input({kDynamic, 8, 8, kDynamic});
  EXPECT_THAT(conv2d(x, input({3, 3, 2, 6}), {.groups = 2}).shape(), ElementsAre(kDynamic, 8, 8, 6));
}

TEST_F(ShapeInferenceTest, TheQuotientOfASizeByANumberIsMet) {
  const Tensor x = input({1, 12, 15, 16}), filter = input({2, 4, kDynamic, kDynamic});
  EXPECT_THAT(conv2d(x, filter, {.groups = 2}).shape(), ElementsAre(1, 12, 15, kDynamic));
}

TEST_F(ShapeInferenceTest, IntegersMayBeDivided) {
  const Tensor x = input({kDynamic, 3}, kInt32);
  EXPECT_THAT(floor_div(x, input({3}, kInt32)).shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(floor_mod(x, input({3}, kInt32)).shape(), ElementsAre(kDynamic, 3));
  EXPECT_EQ(floor_div(x, input({3}, kInt64)).dtype(), kInt64);
}

TEST_F(ShapeInferenceTest, PlacesBeyondAMillionAreTriedToo) {
  const Tensor rows = input({kDynamic, 2});
  for (const int64_t begin : {int64_t{1'000'000}, int64_t{1'048'580}, int64_t{100'000'000}}) {
    EXPECT_EQ(strided_slice(rows, {begin}, {begin + 3}, {1}).shape(), (Shape{kDynamic, 2}));
    EXPECT_EQ(slice(rows, {begin, 0}, {1, 2}).shape(), (Shape{1, 2}));
    EXPECT_EQ(slice(rows, {0, 0}, {begin, 2}).shape(), (Shape{begin, 2}));
    EXPECT_EQ(select(rows, -begin).shape(), (Shape{2}));
  }
  EXPECT_EQ(split(rows, {1'000'000, 10}, 0)[1].shape(), (Shape{10, 2}));
}

TEST_F(ShapeInferenceTest, ARunTimeShapeMayHaveManySizes) {
  EXPECT_EQ(ones(RunTimeShape(input({12}, kInt64)), kFloat64).shape(), Shape(12, kDynamic));
}

TEST_F(ShapeInferenceTest, ALongProgramMayBuildManyGraphs) {
  for (int i = 0; i < 20000; ++i) unknown_size();
  EXPECT_EQ(fill(RunTimeShape(input({4}, kInt64)), 1).shape(), Shape(4, kDynamic));
}

// The process would need 8 GB.
TEST_F(ShapeInferenceTest, LargeStaticSizesCostNoMemory) {
  const Tensor x = input({1000000000});
  EXPECT_THAT(call("aten::nonzero", {x}).shape(), ElementsAre(kDynamic, 1));
  EXPECT_THAT(call("aten::masked_select", {x, input({1000000000}, kBool)}).shape(), ElementsAre(kDynamic));
  EXPECT_THAT(error_of([&] { call("aten::unique_consecutive", {x}); }), HasSubstr("elements"));
  const Tensor images = input({10000000, 8, 8, 3}), filter = input({3, 3, 3, 2});
  EXPECT_THAT(call("belfry::fused_conv2d", {images, filter}, {{"activation", "relu"}}).shape(),
              ElementsAre(10000000, 6, 6, 2));
}

TEST_F(ShapeInferenceTest, AMessageShowsNoSizeOfATrial) {
  const std::string message = error_of([] {
    depthwise_conv2d(input({1, 8, 8, kDynamic}), input({3, 3, 3, 1, 1}));
  });
  EXPECT_THAT(message, HasSubstr("4-D filter"));
  const std::string channels = error_of([] {
    conv2d(input({1, 8, 8, kDynamic}), input({3, 3, 2, 7}), {.groups = 3});
  });
  EXPECT_THAT(channels, AllOf(HasSubstr("3 groups"), Not(HasSubstr("5040")), Not(HasSubstr("1680"))));
}

TEST_F(ShapeInferenceTest, AMessageShowsDynamicDimensionsAsSuch) {
  const std::string message = error_of([] { matmul(input({kDynamic, 4}), input({5, 6})); });
  EXPECT_THAT(message, AllOf(HasSubstr("?x4"), Not(HasSubstr("5040"))));
}

}  // namespace
}  // namespace belfry
