// Results whose sizes stay unknown where those of all feeds are known.

#include <gtest/gtest.h>

#include "belfry/compile/compiled_callable.h"
#include "belfry/graph/graph.h"
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

}  // namespace
}  // namespace belfry
