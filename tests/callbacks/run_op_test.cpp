#include "belfry/callbacks/run_op.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::TinyTrainer;

/// An operation that adds one to the variable "count".
Tensor count() {
  const Variable variable = [] {
    VariableScope scope("", {.reuse = Reuse::kAuto});
    return get_variable("count", {}, {.dtype = kInt64, .trainable = false});
  }();
  return default_graph().add("aten::add_.Scalar", {variable}, {{"other", 1}}, "increment").output();
}

int64_t count_after(
    Callbacks callbacks, const std::function<void()>& build = [] {}) {
  TinyTrainer trainer;
  trainer.build(build);
  trainer.train({.callbacks = std::move(callbacks), .loop = {.steps_per_epoch = 3, .max_epoch = 2}});
  return trainer.session().run("count").item<int64_t>();
}

TEST(RunOp, RunsWhenAskedTo) {
  struct Case {
    RunOpOptions options;
    int64_t runs;
  };
  for (const Case& c : {Case{{}, 1 + 2}, Case{{.run_as_trigger = false}, 1}, Case{{.run_before = false}, 2},
                        Case{{.run_before = false, .run_as_trigger = false, .run_step = true}, 6}}) {
    EXPECT_EQ(count_after(callbacks(RunOp(count, c.options))), c.runs);
  }
}

TEST(RunOp, FindsAnOperationByName) {
  EXPECT_EQ(count_after(callbacks(RunOp("increment")), [] { count(); }), 1 + 2);
  EXPECT_THROW(count_after(callbacks(RunOp("decrement")), [] { count(); }), UsageError);
}

TEST(RunOp, NoOperationIsAnError) {
  EXPECT_THROW(count_after(callbacks(RunOp([] { return Tensor(); }))), UsageError);
}

TEST(RunUpdateOps, RunsTheCollectionWithEveryStep) {
  auto build = [] {
    default_graph().add_to_collection(kUpdateOps, count());
    default_graph().add_to_collection(kUpdateOps, count());
  };
  EXPECT_EQ(count_after(callbacks(RunUpdateOps()), build), 2 * 6);
}

TEST(RunUpdateOps, AnEmptyCollectionIsFine) {
  EXPECT_EQ(count_after(callbacks(RunUpdateOps()), [] { count(); }), 0);
}

}  // namespace
}  // namespace belfry
