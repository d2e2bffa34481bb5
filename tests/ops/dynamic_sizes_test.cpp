// Functions of arrays where the graph does not know a size that they need.

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

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

TEST_F(DynamicSizesTest, SlicesHaveTheSizesThatTheGraphKnows) {
  const Tensor x = placeholder("x", {kDynamic, 5, 6}), n = placeholder("n", {}, kInt32);
  const Tensor begin = stack({n, constant(1, kInt32), constant(2, kInt32)});
  const Tensor size = stack({constant(2, kInt32), constant(-1, kInt32), n});
  EXPECT_THAT(slice(x, begin, size).shape(), ElementsAre(2, 4, kDynamic));
  EXPECT_THAT(slice(x, begin, {size, {kDynamic, kDynamic, 3}}).shape(), ElementsAre(2, 4, 3));
  EXPECT_THAT(slice(x, constant({0, 1, 2}), constant({2, -1, 3})).shape(), ElementsAre(2, 4, 3));
  EXPECT_THAT(slice(x, constant({0, 1, 2}), shape(placeholder("y", {kDynamic, 4, 3}))).shape(),
              ElementsAre(kDynamic, 4, 3));
  const Tensor ends = stack({n, constant(-1, kInt32)}), ones = constant({1, 1});
  EXPECT_THAT(strided_slice(x, constant({0, 1}), ends, ones).shape(), ElementsAre(kDynamic, 3, 6));
  const at::Tensor data = at::arange(90, at::kFloat).view({3, 5, 6});
  const Feeds feeds = {{x, data}, {n, at::scalar_tensor(1, at::kInt)}};
  EXPECT_TRUE(
      at::equal(value(slice(x, begin, size), feeds), data.slice(0, 1, 3).slice(1, 1, 5).slice(2, 2, 3)));
  EXPECT_TRUE(at::equal(value(strided_slice(x, constant({0, 1}), ends, ones), feeds),
                        data.slice(0, 0, 1).slice(1, 1, 4)));
}

TEST_F(DynamicSizesTest, PadsAndCountsHaveTheSizesThatTheGraphKnows) {
  const Tensor x = placeholder("x", {kDynamic, 5}), n = placeholder("n", {}, kInt64);
  const Tensor paddings = stack({constant({1, 2}), stack({n, constant(0)})});
  EXPECT_THAT(pad(x, paddings).shape(), ElementsAre(kDynamic, kDynamic));
  EXPECT_THAT(pad(x, stack({stack({n, n}), constant({1, 3})})).shape(), ElementsAre(kDynamic, 9));
  EXPECT_THAT(topk(x, n).second.shape(), ElementsAre(kDynamic, kDynamic));
  EXPECT_THAT(topk(x, constant(2)).first.shape(), ElementsAre(kDynamic, 2));
  const Tensor classes = placeholder("classes", {4}, kInt64);
  EXPECT_THAT(one_hot(classes, n).shape(), ElementsAre(4, kDynamic));
  EXPECT_THAT(one_hot(classes, select(shape(x), 1)).shape(), ElementsAre(4, 5));
  const Tensor image = placeholder("image", {kDynamic, kDynamic, 7, 3});
  EXPECT_THAT(resize(image, stack({n, constant(9)})).shape(), ElementsAre(kDynamic, kDynamic, 9, 3));
  EXPECT_THAT(resize(image, slice(shape(image), {1}, {2})).shape(), ElementsAre(kDynamic, kDynamic, 7, 3));
  EXPECT_THAT(resize(image, placeholder("size", {kDynamic}, kInt32)).shape(),
              ElementsAre(kDynamic, kDynamic, kDynamic, 3));
  EXPECT_THAT(resize(image, constant({8, 9}), {.data_format = "NCHW"}).shape(),
              ElementsAre(kDynamic, kDynamic, 8, 9));
}

class RefusedNumbersTest : public DynamicSizesTest {
 protected:
  /// The message of the run's error with `numbers` for `x` [2, 3].
  std::string refused(const std::function<Tensor(const Tensor& numbers)>& build, const at::Tensor& numbers) {
    const Tensor list = placeholder("", numbers.sizes().vec(), kInt64);
    const Tensor result = build(list);
    return test::message_of<DataError>([&] { value(result, {{x, at::ones({2, 3})}, {list, numbers}}); });
  }
  at::Tensor list(std::vector<int64_t> numbers) { return at::tensor(numbers, at::kLong); }

  const Tensor x = placeholder("x", {kDynamic, 3});
};

TEST_F(RefusedNumbersTest, PlacesOutsideAreErrorsOfTheData) {
  const auto from = [&](const Tensor& begin) { return slice(x, begin, constant({1, 1})); };
  const auto many = [&](const Tensor& size) { return slice(x, constant({1, 1}), size); };
  for (const auto& begin : {list({-1, 0}), list({0, 3}), list({INT64_MAX, 0}), list({INT64_MIN, 0})})
    EXPECT_THAT(refused(from, begin), HasSubstr("expected a slice inside of [2, 3]"));
  for (const auto& size : {list({-2, 0}), list({1, 3}), list({0, INT64_MAX})})
    EXPECT_THAT(refused(many, size), HasSubstr("expected a slice inside of [2, 3]"));
  EXPECT_THAT(
      refused([&](const Tensor& n) { return strided_slice(x, constant({0}), constant({1}), n); }, list({0})),
      HasSubstr("strides other than 0"));
}

TEST_F(RefusedNumbersTest, PaddingsAndCountsOutsideAreErrorsOfTheData) {
  const auto padded = [&](PadMode mode) {
    return [this, mode](const Tensor& n) { return pad(x, n, {.mode = mode}); };
  };
  EXPECT_THAT(refused(padded(PadMode::kConstant), list({0, -1, 0, 0}).view({2, 2})), HasSubstr("paddings"));
  EXPECT_THAT(refused(padded(PadMode::kReflect), list({2, 0, 0, 0}).view({2, 2})), HasSubstr("mirrored"));
  EXPECT_THAT(refused(padded(PadMode::kSymmetric), list({0, 0, 0, 4}).view({2, 2})), HasSubstr("mirrored"));
  for (const int64_t k : {-1, 4})
    EXPECT_THAT(refused([&](const Tensor& n) { return topk(x, n).first; }, at::scalar_tensor(k, at::kLong)),
                HasSubstr("k of at most 3"));
  const Tensor labels = constant({0, 1});
  EXPECT_THAT(refused([&](const Tensor& n) { return one_hot(labels, n); }, at::scalar_tensor(-1, at::kLong)),
              HasSubstr("depth of at least 0"));
}

TEST_F(RefusedNumbersTest, WhatTheGraphKnowsIsRefusedWhereItIsWritten) {
  const Tensor n = placeholder("n", {}, kInt64), lists = placeholder("lists", {2, 2}, kInt64);
  const Tensor three = placeholder("three", {3}, kInt64), two = placeholder("two", {2}, kInt64);
  EXPECT_THROW(slice(x, stack({n, constant(4)}), two), UsageError);
  EXPECT_THROW(slice(x, stack({n, constant(1)}), stack({n, constant(3)})), UsageError);
  EXPECT_THROW(slice(x, three, two), UsageError);
  EXPECT_THROW(slice(x, lists, two), UsageError);
  EXPECT_THROW(slice(x, cast(two, kFloat32), two), UsageError);
  EXPECT_THROW(strided_slice(x, three, three, three), UsageError);
  EXPECT_THROW(strided_slice(x, two, two, stack({n, constant(0)})), UsageError);
  EXPECT_THROW(pad(x, two), UsageError);
  EXPECT_THROW(pad(x, stack({two, stack({n, constant(-1)})})), UsageError);
  EXPECT_THROW(topk(x, two), UsageError);
  EXPECT_THROW(topk(n, n), UsageError);
  EXPECT_THROW(one_hot(two, two), UsageError);
  const Tensor image = placeholder("image", {1, 4, 4, 2});
  EXPECT_THROW(resize(image, three), UsageError);
  EXPECT_THROW(resize(image, cast(two, kFloat32)), UsageError);
  EXPECT_THROW(resize(image, stack({n, constant(0)})), UsageError);
  EXPECT_THROW(resize(cast(image, kInt32), two), UsageError);
  EXPECT_THROW(in_top_k(x, two, two), UsageError);
}

TEST_F(DynamicSizesTest, ASliceOfKnownSizesHasNoOthers) {
  const Tensor x = placeholder("x", {4}), size = placeholder("size", {1}, kInt64);
  const Tensor part = slice(x, constant({1}), {size, {2}});
  EXPECT_TRUE(at::equal(value(part, {{x, at::arange(4, at::kFloat)}, {size, at::tensor({int64_t{2}})}}),
                        at::arange(1, 3, at::kFloat)));
  EXPECT_THROW(value(part, {{x, at::ones({4})}, {size, at::tensor({int64_t{3}})}}), UsageError);
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
