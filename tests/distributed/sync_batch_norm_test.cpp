#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include "belfry/distributed/process_group.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"
#include "tests/support/close.h"
#include "tests/support/ranks.h"

namespace belfry {
namespace {

using test::close;
using test::in_ranks;

constexpr test::Tolerance kSums{.relative = 2e-5, .absolute = 2e-5};

struct Results {
  at::Tensor y, dx, dgamma, dbeta, mean, variance;
};

/// What a BatchNorm gives, with the gradients of sum(sin(y)), and its averages after one update.
Results run(const at::Tensor& x, bool sync, const std::string& data_format, bool compile) {
  Graph graph;
  GraphScope as_default(graph);
  const TowerContext tower("", {.is_training = true});
  const Shape shape = x.sizes().vec();
  Shape dynamic = shape;
  dynamic[0] = kDynamic;
  const Tensor input = placeholder("x", dynamic);
  const Tensor y = input | BatchNorm("bn", {.data_format = data_format, .sync_statistics = sync});
  const auto variable = [&](const char* name) { return Variable(graph.find_variable(name)); };
  const Variable gamma = variable("bn/gamma"), beta = variable("bn/beta");
  const auto by = gradients(sum(sin(y)), {input, gamma, beta});
  const Tensor update = group(graph.collection(kUpdateOps));
  Session session(graph);
  session.initialize_variables();
  session.set_value(gamma,
                    at::arange(x.size(data_format == "channels_first" ? 1 : -1), at::kFloat) * 0.3 + 0.5);
  const CompiledStep step =
      compile_step(session, {input}, {y, by[0], by[1], by[2], update}, {.compile = compile});
  const auto values = step({x});
  EXPECT_EQ(step.is_compiled(), compile) << step.why_not_compiled();
  return {values[0],
          values[1],
          values[2],
          values[3],
          session.value(variable("bn/mean/EMA")),
          session.value(variable("bn/variance/EMA"))};
}

class SyncBatchNorm : public testing::TestWithParam<bool> {};

TEST_P(SyncBatchNorm, IsThatOfAllRowsWhateverTheShares) {
  if (!in_ranks(3)) return;
  const bool compile = GetParam();
  const std::vector<int64_t> rows = {4, 1, 6};
  int64_t begin = 0;
  for (int r = 0; r < rank(); ++r) begin += rows[static_cast<size_t>(r)];
  const int64_t count = rows[static_cast<size_t>(rank())];
  for (const char* data_format : {"channels_last", "channels_first"}) {
    for (const int64_t rank_of_x : {4, 2}) {
      const Shape sizes = rank_of_x == 4 ? Shape{11, 3, 4, 3} : Shape{11, 3};
      const at::Tensor x =
          at::sin(at::arange(c10::multiply_integers(sizes), at::kFloat) * 0.7).view(sizes) * 2 + 5;
      const Results all = run(x, false, data_format, compile);
      const Results here = run(x.narrow(0, begin, count).contiguous(), true, data_format, compile);
      EXPECT_TRUE(close(here.y, all.y.narrow(0, begin, count), kSums));
      EXPECT_TRUE(close(here.dx, all.dx.narrow(0, begin, count), kSums));
      EXPECT_TRUE(close(process_group().all_reduce(here.dgamma), all.dgamma, kSums));
      EXPECT_TRUE(close(process_group().all_reduce(here.dbeta), all.dbeta, kSums));
      EXPECT_TRUE(close(here.mean, all.mean, kSums));
      EXPECT_TRUE(close(here.variance, all.variance, kSums));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, SyncBatchNorm, testing::Bool(),
                         [](const auto& info) { return info.param ? "Compiled" : "Plain"; });

}  // namespace
}  // namespace belfry
