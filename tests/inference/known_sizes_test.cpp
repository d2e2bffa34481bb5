// Sizes that follow from those of the feeds, and results whose sizes stay unknown where all feeds are known.

#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/shapes.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

using Build = std::function<std::vector<Tensor>(const Tensor& x)>;

/// What makes shapes of the shape of images [?, ?, ?, 4].
const std::map<std::string, Build>& builds() {
  static const std::map<std::string, Build> table = {
      {"reshape of what is stacked",
       [](const Tensor& x) -> std::vector<Tensor> {
         const auto sizes = unstack(shape(x));
         const Tensor rows = reshape(x, {-1, 4}) * 2.0;
         return {reshape(rows, RunTimeShape(stack({sizes[0], sizes[1], sizes[2], constant(4)}), x.shape()))};
       }},
      {"reshape of what is computed",
       [](const Tensor& x) -> std::vector<Tensor> {
         const auto sizes = unstack(shape(x));
         return {reshape(x, stack({sizes[0], sizes[1] * sizes[2], constant(4)}))};
       }},
      {"unpooling",
       [](const Tensor& x) -> std::vector<Tensor> {
         return {FixedUnPooling("up", x, {.shape = Size2D{2, 3}})};
       }},
      {"parts of a batch",
       [](const Tensor& x) -> std::vector<Tensor> {
         return {
             BatchNorm("bn", x, {.training = true, .ema_update = EmaUpdate::kSkip, .virtual_batch_size = 2})};
       }},
      {"slice",
       [](const Tensor& x) -> std::vector<Tensor> {
         const Tensor half = floor_div(slice(shape(x), {1}, {1}), 2);
         const Tensor begin = concat({constant({0}), half, constant({0, 0})}, 0);
         return {slice(x, begin, concat({constant({-1}), half, constant({-1, 2})}, 0))};
       }},
      {"strided slice",
       [](const Tensor& x) -> std::vector<Tensor> {
         const Tensor sizes = shape(x);
         return {strided_slice(x, zeros_like(sizes), sizes - 1, ones_like(sizes) * 2)};
       }},
      {"pad",
       [](const Tensor& x) -> std::vector<Tensor> {
         const Tensor height = select(shape(x), 1), wanted = floor_div(height + 7, 8) * 8;
         const Tensor after = stack({constant(0), wanted - height, constant(0), constant(0)});
         return {pad(x, stack({zeros_like(after), after}, 1))};
       }},
      {"one-hot",
       [](const Tensor& x) -> std::vector<Tensor> { return {one_hot(argmax(x, 3), select(shape(x), 1))}; }},
      {"top-k",
       [](const Tensor& x) -> std::vector<Tensor> {
         const auto [values, indices] = topk(transpose(x, {0, 1, 3, 2}), floor_div(select(shape(x), 2), 2));
         return {values, indices};
       }},
      {"positions",
       [](const Tensor& x) -> std::vector<Tensor> {
         return {x * expand_dims(cast(range(select(shape(x), 2)), kFloat32), 1)};
       }},
      {"fill",
       [](const Tensor& x) -> std::vector<Tensor> {
         return {concat({x, fill(shape(x), 3)}, 3)};
       }},
      {"the shape itself",
       [](const Tensor& x) -> std::vector<Tensor> {
         return {shape(x), size(x), relu(x)};
       }},
  };
  return table;
}

class SizesOfFeeds : public testing::TestWithParam<std::string> {};

TEST_P(SizesOfFeeds, AreThoseThatTheSessionComputes) {
  Graph graph;
  GraphScope as_default(graph);
  const TowerContext tower("", {.is_training = false});
  const Tensor x = placeholder("x", {kDynamic, kDynamic, kDynamic, 4});
  const std::vector<Tensor> built = builds().at(GetParam())(x);
  const std::vector<Fetch> fetches(built.begin(), built.end());
  Session session(graph);
  session.initialize_variables();
  const Callable plain = session.make_callable({x}, fetches);
  const CompiledCallable compiled = compile(session, {x}, fetches);
  for (const Shape& sizes : {Shape{2, 6, 8, 4}, Shape{4, 9, 5, 4}, Shape{2, 6, 8, 4}}) {
    const std::vector<at::Tensor> feeds = {at::randn(sizes)};
    const auto expected = plain(feeds), given = compiled(feeds);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(given[i].sizes(), expected[i].sizes());
      EXPECT_TRUE(given[i].allclose(expected[i], 1e-5, 1e-6)) << i;
    }
  }
  EXPECT_TRUE(compiled.is_compiled());
}

INSTANTIATE_TEST_SUITE_P(KnownSizesTest, SizesOfFeeds, testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& [name, build] : builds()) names.push_back(name);
                           return names;
                         }()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase_if(name, [](char c) { return !std::isalnum(c); });
                           return name;
                         });

TEST(KnownSizesTest, ADivisionOfSizesByZeroIsTheSessionsError) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {kDynamic, kDynamic});
  const auto sizes = unstack(shape(x));
  const Tensor y = reshape(x, stack({floor_div(sizes[0] * sizes[1], sizes[1]), constant(-1)}));
  Session session(graph);
  const auto compiled = compile(session, {x}, {y});
  EXPECT_THROW(compiled({at::ones({3, 0})}), DataError);
  EXPECT_EQ(compiled({at::ones({3, 2})})[0].sizes(), at::IntArrayRef({3, 2}));
  EXPECT_TRUE(compiled.is_compiled());
}

TEST(KnownSizesTest, ASizeThatAConstantDecidesIsLeftToThePlainPlan) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor indices = call("aten::nonzero", {constant(1.0F)});  // of a scalar: [1, 0]
  Session session(graph);
  const auto values = compile(session, {}, {transpose(indices, {1, 0})})({});
  EXPECT_EQ(values[0].sizes(), at::IntArrayRef({0, 1}));
}

TEST(KnownSizesTest, ResultsThatNoMemoryHoldsAreAResourceError) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {kDynamic});
  Session session(graph);
  const auto repeat = compile(session, {x}, {tile(x, {int64_t{1} << 50})});
  EXPECT_THROW(repeat({at::ones({3})}), OutOfMemoryError);
}

}  // namespace
}  // namespace belfry
