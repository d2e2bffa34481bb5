#include "belfry/distributed/collectives.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"
#include "belfry/ops/array.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"
#include "tests/support/ranks.h"

namespace belfry {
namespace {

using test::close;
using test::in_ranks;
using test::kSameFormula;
using test::message_of;

using Op = std::function<Tensor(const Tensor&)>;

/// What `op` makes of [4, 3] numbers that differ by rank, and the gradient by them of the sum of its squares,
/// by the plan and compiled, where the run also writes the gradient to a variable.
struct Results {
  at::Tensor value, gradient, compiled_value, compiled_gradient;
};

at::Tensor input_of(int rank) {
  return at::arange(12, at::kDouble).view({4, 3}) / 7 + rank;
}

Results run(const Op& op) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {4, 3}, kFloat64);
  const Tensor y = op(x);
  const Tensor gradient = gradients(sum(y * y), {x})[0];
  const Variable kept = get_variable("kept", {4, 3}, {.dtype = kFloat64});
  const Tensor write = assign(kept, gradient);
  Session session(graph);
  session.initialize_variables();
  const at::Tensor given = input_of(rank());
  const auto plain = session.run({y, gradient}, {{x, given}});
  const CompiledStep step = compile_step(session, {x}, {y, gradient, write});
  const auto compiled = step({given});
  EXPECT_TRUE(step.is_compiled()) << step.why_not_compiled();
  EXPECT_TRUE(session.value(kept).equal(compiled[1]));
  return {plain[0], plain[1], compiled[0], compiled[1]};
}

void expect(const Results& results, const at::Tensor& value, const at::Tensor& gradient) {
  EXPECT_TRUE(close(results.value, value, kSameFormula));
  EXPECT_TRUE(close(results.compiled_value, value, kSameFormula));
  EXPECT_TRUE(close(results.gradient, gradient, kSameFormula));
  EXPECT_TRUE(close(results.compiled_gradient, gradient, kSameFormula));
}

// The loss of all is the sum of the squares of what each has; with y = x0 + x1 in both it is 2 |x0 + x1|^2.

TEST(Collectives, AllReduceAndItsGradient) {
  if (!in_ranks(2)) return;
  const at::Tensor total = input_of(0) + input_of(1);
  expect(run([](const Tensor& x) { return all_reduce(x); }), total, total * 4);
  expect(run([](const Tensor& x) { return all_reduce(x, ReduceOp::kMean); }), total / 2, total);
}

TEST(Collectives, AllGatherAndItsGradient) {
  if (!in_ranks(2)) return;
  expect(run([](const Tensor& x) { return all_gather(x); }), at::cat({input_of(0), input_of(1)}),
         input_of(rank()) * 4);
}

TEST(Collectives, BroadcastAndItsGradient) {
  if (!in_ranks(2)) return;
  const at::Tensor root = input_of(1);
  expect(run([](const Tensor& x) { return broadcast(x, 1); }), root,
         rank() == 1 ? root * 4 : at::zeros_like(root));
}

TEST(Collectives, ReduceScatterAndItsGradient) {
  if (!in_ranks(2)) return;
  const at::Tensor total = input_of(0) + input_of(1);
  expect(run([](const Tensor& x) { return reduce_scatter(x); }), total.narrow(0, rank() * 2, 2), total * 2);
  expect(run([](const Tensor& x) { return reduce_scatter(x, ReduceOp::kMean); }),
         total.narrow(0, rank() * 2, 2) / 2, total / 2);
}

TEST(Collectives, ReduceInTwoHalves) {
  if (!in_ranks(3)) return;
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {kDynamic}, kFloat32);
  const Tensor started = all_reduce_start(x);
  const Tensor other = x * 2.0;
  const Tensor done = all_reduce_wait(started) + other;
  Session session(graph);
  const at::Tensor given = at::full({5}, rank() + 1, at::kFloat);
  EXPECT_TRUE(session.run({done}, {{x, given}})[0].equal(given * 2 + 6));
}

TEST(Collectives, HaveShapesByTheNumberOfRanks) {
  if (!in_ranks(2)) return;
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = placeholder("x", {4, 3}, kFloat32);
  EXPECT_EQ(all_gather(x).shape(), (Shape{8, 3}));
  EXPECT_EQ(reduce_scatter(x).shape(), (Shape{2, 3}));
  EXPECT_THAT(message_of<UsageError>([&] { broadcast(x, 2); }), testing::HasSubstr("a root from 0 to 1"));
  EXPECT_THAT(message_of<UsageError>([&] { all_reduce(cast(x, kBool)); }),
              testing::HasSubstr("expected numbers"));
}

TEST(Collectives, OfOneProcessChangeNothing) {
  expect(run([](const Tensor& x) { return all_reduce(x); }), input_of(0), input_of(0) * 2);
  expect(run([](const Tensor& x) { return all_gather(x); }), input_of(0), input_of(0) * 2);
}

}  // namespace
}  // namespace belfry
