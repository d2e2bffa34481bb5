#include "belfry/graph/shape_inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
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

TEST_F(ShapeInferenceTest, AMessageShowsDynamicDimensionsAsSuch) {
  const std::string message = error_of([] { matmul(input({kDynamic, 4}), input({5, 6})); });
  EXPECT_THAT(message, AllOf(HasSubstr("?x4"), Not(HasSubstr("5040"))));
}

}  // namespace
}  // namespace belfry
