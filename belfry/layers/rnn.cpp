#include "belfry/layers/rnn.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"

namespace belfry {
namespace {

void check(const char* who, const RnnCellPtr& cell) {
  if (!cell) throw UsageError(fmt::format("[{}] expected a cell, got none", who));
}

Tensor time_first(const char* who, const Tensor& inputs, bool time_major) {
  if (!inputs.defined() || inputs.rank() != 3) {
    throw UsageError(fmt::format("[{}] expected inputs of 3 dimensions, got {}", who,
                                 inputs.defined() ? describe(inputs) : "none"));
  }
  return time_major ? inputs : transpose(inputs, {1, 0, 2});
}
Tensor time_restored(const Tensor& outputs, bool time_major) {
  return time_major ? outputs : transpose(outputs, {1, 0, 2});
}

Tensor stacked(const char* who, const std::vector<Tensor>& inputs) {
  if (inputs.empty()) throw UsageError(fmt::format("[{}] expected inputs of 1 step or more, got none", who));
  return stack(inputs);
}

struct Both {
  RnnSequence forward, backward;
};
Both run_both(const RnnCellPtr& forward, const RnnCellPtr& backward, const Tensor& x,
              const BidirectionalRnnOptions& options) {
  const VariableScope scope(options.scope);
  Both both;
  {
    const VariableScope direction("fw");
    both.forward =
        forward->run(x, {.first = options.initial_state_forward, .lengths = options.sequence_length});
  }
  const VariableScope direction("bw");
  both.backward = backward->run(
      x, {.first = options.initial_state_backward, .lengths = options.sequence_length, .reverse = true});
  return both;
}

}  // namespace

RnnOutputs dynamic_rnn(const RnnCellPtr& cell, const Tensor& inputs, const DynamicRnnOptions& options) {
  check("dynamic_rnn", cell);
  const VariableScope scope(options.scope);
  RnnSequence all = cell->run(time_first("dynamic_rnn", inputs, options.time_major),
                              {.first = options.initial_state, .lengths = options.sequence_length});
  return {time_restored(all.outputs, options.time_major), std::move(all.state)};
}

StaticRnnOutputs static_rnn(const RnnCellPtr& cell, const std::vector<Tensor>& inputs,
                            const RnnOptions& options) {
  check("static_rnn", cell);
  const VariableScope scope(options.scope);
  RnnSequence all = cell->run(stacked("static_rnn", inputs),
                              {.first = options.initial_state, .lengths = options.sequence_length});
  return {unstack(all.outputs), std::move(all.state)};
}

BidirectionalRnnOutputs bidirectional_dynamic_rnn(const RnnCellPtr& forward, const RnnCellPtr& backward,
                                                  const Tensor& inputs,
                                                  const BidirectionalRnnOptions& options) {
  check("bidirectional_dynamic_rnn", forward);
  check("bidirectional_dynamic_rnn", backward);
  Both both = run_both(forward, backward, time_first("bidirectional_dynamic_rnn", inputs, options.time_major),
                       options);
  return {time_restored(both.forward.outputs, options.time_major),
          time_restored(both.backward.outputs, options.time_major), std::move(both.forward.state),
          std::move(both.backward.state)};
}

StaticBidirectionalRnnOutputs static_bidirectional_rnn(const RnnCellPtr& forward, const RnnCellPtr& backward,
                                                       const std::vector<Tensor>& inputs,
                                                       const BidirectionalRnnOptions& options) {
  check("static_bidirectional_rnn", forward);
  check("static_bidirectional_rnn", backward);
  Both both = run_both(forward, backward, stacked("static_bidirectional_rnn", inputs), options);
  return {unstack(concat({both.forward.outputs, both.backward.outputs}, 2)), std::move(both.forward.state),
          std::move(both.backward.state)};
}

}  // namespace belfry
