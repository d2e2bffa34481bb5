#include "belfry/callbacks/run_op.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"
#include "belfry/ops/state.h"

namespace belfry {

RunOp::RunOp(std::function<Tensor()> make_op, RunOpOptions options)
    : make_op_(std::move(make_op)), options_(options) {}

RunOp::RunOp(Fetch op, RunOpOptions options) : existing_(std::move(op)), options_(options) {}

void RunOp::setup_graph() {
  op_ = existing_ ? existing_->resolve(trainer().graph()) : make_op_();
  if (!op_) throw UsageError("[RunOp] expected an operation, got none");
}

void RunOp::before_train() {
  callable_ = trainer().session().make_callable({}, {op_});
  if (!options_.run_before) return;
  log_run();
  callable_();
}

std::vector<Tensor> RunOp::before_run() {
  if (!options_.run_step) return {};
  log_run();
  return {op_};
}

void RunOp::trigger() {
  if (!options_.run_as_trigger) return;
  log_run();
  callable_();
}

void RunOp::log_run() const {
  if (options_.verbose) log_info("Running Op {} ...", op_.name());
}

RunUpdateOps::RunUpdateOps(std::string collection) : collection_(std::move(collection)) {}

void RunUpdateOps::setup_graph() {
  const std::vector<Tensor>& updates = trainer().graph().collection(collection_);
  if (updates.empty()) return;
  log_info("Applying collection {} of {} ops.", collection_, updates.size());
  fetches_ = {group(updates, "update_ops")};
}

}  // namespace belfry
