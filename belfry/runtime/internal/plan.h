#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/node.h"
#include "belfry/runtime/internal/variable_store.h"

namespace belfry {

/// Where a value comes from when a step runs.
struct Source {
  enum class Kind { kNone, kConstant, kVariable, kSlot };
  Kind kind = Kind::kNone;
  int slot = -1;                        ///< kSlot
  bool last_use = false;                ///< kSlot: the value is moved out, so that its memory is free at once
  VariableStore::Cell* cell = nullptr;  ///< kVariable
  const c10::IValue* constant = nullptr;  ///< kConstant
};

/// One node to run.
///
/// Modes of autograd. A plan without gradients records nothing: its steps run below the autograd keys of the
/// dispatcher, the fastest way. A plan with gradients records the steps that lie between a gradients node's
/// xs and its loss, and runs the others below autograd too. An x that no recorded step computes becomes a
/// leaf: a detached alias that requires a gradient.
///
/// Order. A write of a variable runs after everything that does not depend on it. Where control dependencies
/// nevertheless put gradients after a write of what was recorded for them, the record is of a copy.
struct Step {
  enum class Kind { kCall, kLeaf, kAlias, kCopy, kGradients };
  struct Arg {
    enum class Kind { kSource, kList, kOptionalList };
    Kind kind = Kind::kSource;
    std::vector<Source> sources;
    c10::IValue constant;  ///< of a kSource without sources
  };

  Kind kind = Kind::kCall;
  const Node* node = nullptr;
  std::optional<c10::OperatorHandle> op;  ///< kCall: what computes the node
  std::vector<Arg> args;
  std::vector<int> outputs;  ///< slots; -1 for what nobody needs
  bool recorded = false;
  bool returns_list = false;
  std::vector<VariableStore::Cell*> mutated;
  // kGradients
  bool keep_recording = false;  ///< another gradients node needs the same recording
  bool differentiable = false;  ///< a gradient of this gradient is wanted
};

/// The order of work for given feeds and fetches. Immutable; any number of threads run it at the same time,
/// each with a frame of values of its own.
class Plan {
 public:
  Plan(const Graph& graph, std::shared_ptr<VariableStore> store, std::vector<Tensor> feeds,
       std::vector<Tensor> fetches);

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& feeds) const;
  /// Throws UsageError where the graph is destroyed.
  void check_graph() const;
  void check_feeds(const std::vector<at::Tensor>& feeds) const;
  const VariableStore& store() const { return *store_; }

  const std::vector<Tensor>& feeds() const { return feeds_; }
  const std::vector<Tensor>& fetches() const { return fetches_; }
  std::string describe() const;

 private:
  friend class Planner;
  using Frame = std::vector<c10::IValue>;

  void check_feed(size_t index, const at::Tensor& value) const;
  void execute(const Step& step, Frame& frame, c10::Stack& stack) const;
  void execute_gradients(const Step& step, Frame& frame) const;
  at::Tensor fetch(const Source& source, Frame& frame) const;

  std::shared_ptr<VariableStore> store_;
  std::weak_ptr<const void> graph_lifetime_;
  std::vector<Tensor> feeds_, fetches_;
  std::vector<int> feed_slots_;
  std::vector<Source> fetch_sources_;
  std::vector<Step> steps_;
  std::vector<VariableStore::Cell*> variables_;  ///< every variable the plan reads or writes
  std::vector<at::Tensor> constants_;            ///< of the graph, that the plan reads
  int num_slots_ = 0;
  bool has_gradients_ = false;
};

}  // namespace belfry
