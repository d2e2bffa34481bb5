#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/runtime/internal/plan_data.h"

namespace belfry::internal {

/// Plans a run. Throws UsageError for a tensor that is fed twice, a placeholder that is needed and not fed,
/// and what the passes find (order.h, recordings.h, make_steps.h).
PlanData make_plan(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches,
                   VariableStore& store);

/// A planned run. Immutable; any number of threads run it at the same time, each with a frame of values of
/// its own.
class Plan {
 public:
  /// `plan` was made with `store`.
  Plan(const Graph& graph, std::shared_ptr<VariableStore> store, PlanData plan)
      : store_(std::move(store)), graph_lifetime_(graph.lifetime()), plan_(std::move(plan)) {}

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& feeds) const;
  /// Throws UsageError where the graph is destroyed.
  void check_graph() const;
  void check_feeds(const std::vector<at::Tensor>& feeds) const;
  const VariableStore& store() const { return *store_; }
  const std::shared_ptr<VariableStore>& shared_store() const { return store_; }

  const std::vector<Tensor>& feeds() const { return plan_.feeds; }
  const std::vector<Tensor>& fetches() const { return plan_.fetches; }
  /// One line for each step. Throws UsageError where the graph is destroyed.
  std::string describe() const;

 private:
  using Frame = std::vector<c10::IValue>;

  Frame make_frame(const std::vector<at::Tensor>& feeds) const;
  at::Tensor fetch(const Source& source, Frame& frame) const;

  std::shared_ptr<VariableStore> store_;
  std::weak_ptr<const void> graph_lifetime_;
  PlanData plan_;
};

}  // namespace belfry::internal
