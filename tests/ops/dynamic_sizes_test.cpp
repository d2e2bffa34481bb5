// Functions of arrays where the graph does not know a size that they need.

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class DynamicSizesTest : public testing::Test {
 protected:
  at::Tensor value(const Tensor& tensor, const Feeds& feeds) { return Session(graph).run(tensor, feeds); }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(DynamicSizesTest, SqueezeDropsADimensionThatIsOneInTheRun) {
  const Tensor x = placeholder("x", {kDynamic, kDynamic, 3});
  const Tensor y = squeeze(x, {1}), z = squeeze(x, {0, 1});
  EXPECT_THAT(y.shape(), ElementsAre(kDynamic, 3));
  EXPECT_THAT(z.shape(), ElementsAre(3));
  const at::Tensor six = at::arange(6, at::kFloat);
  EXPECT_TRUE(at::equal(value(y, {{x, six.view({2, 1, 3})}}), six.view({2, 3})));
  EXPECT_TRUE(at::equal(value(z, {{x, at::ones({1, 1, 3})}}), at::ones({3})));
}

TEST_F(DynamicSizesTest, SqueezeRefusesADimensionThatIsNotOneInTheRun) {
  const Tensor x = placeholder("x", {kDynamic, kDynamic, 3});
  EXPECT_THROW(value(squeeze(x, {1}), {{x, at::ones({2, 2, 3})}}), Error);
}

TEST_F(DynamicSizesTest, SplitSizesAddUpToTheSizeOfTheRun) {
  const Tensor x = placeholder("x", {kDynamic});
  const Tensor last = split(x, std::vector<int64_t>{1, 2}, 0)[1];
  EXPECT_TRUE(at::equal(value(last, {{x, at::arange(3, at::kFloat)}}), at::arange(1, 3, at::kFloat)));
  EXPECT_THROW(value(last, {{x, at::ones({4})}}), Error);
}

TEST_F(DynamicSizesTest, SplitTakesTheRest) {
  const Tensor x = placeholder("x", {kDynamic, 7});
  const auto parts = split(x, std::vector<int64_t>{2, -1, 1}, 1);
  EXPECT_THAT(parts[1].shape(), ElementsAre(kDynamic, 4));
  const at::Tensor seven = at::arange(7, at::kFloat).view({1, 7});
  EXPECT_TRUE(at::equal(value(parts[1], {{x, seven}}), seven.narrow(1, 2, 4)));
  EXPECT_THAT(test::message_of<UsageError>([&] {
                split(x, std::vector<int64_t>{2, -1}, 0);
              }),
              AllOf(HasSubstr("[split"), HasSubstr("[?, 7]")));
  EXPECT_THAT(test::message_of<UsageError>([&] {
                split(x, std::vector<int64_t>{8, -1}, 1);
              }),
              HasSubstr("at least 8"));
}

TEST_F(DynamicSizesTest, LayerNormTakesASizeFromWhereItIsKnown) {
  const Tensor x = placeholder("x", {2, kDynamic}), known = placeholder("y", {2, 3});
  const Tensor scale = placeholder("scale", {kDynamic}), offset = placeholder("offset", {3});
  const at::Tensor data = at::arange(6, at::kFloat).view({2, 3}), ones = at::ones({3});
  const at::Tensor expected = at::layer_norm(data, {3}, ones, ones);
  EXPECT_TRUE(at::equal(value(layer_norm(known, scale, Tensor()), {{known, data}, {scale, ones}}),
                        at::layer_norm(data, {3}, ones)));
  EXPECT_TRUE(
      at::equal(value(layer_norm(x, scale, offset), {{x, data}, {scale, ones}, {offset, ones}}), expected));
  EXPECT_THAT(test::message_of<UsageError>([&] { layer_norm(x, scale, Tensor()); }),
              AllOf(HasSubstr("x:0 float32 [2, ?]"), HasSubstr("scale:0 float32 [?]")));
}

}  // namespace
}  // namespace belfry
