// Results whose sizes stay unknown where those of all feeds are known.

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

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
