#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// A tensor of a session's graph, by handle or by name.
class Fetch {
 public:
  Fetch(Tensor tensor) : tensor_(tensor) {}
  Fetch(const Variable& variable) : tensor_(variable.tensor()) {}
  Fetch(const char* name) : name_(name ? name : "") {}
  Fetch(std::string name) : name_(std::move(name)) {}

  /// The tensor meant. Throws UsageError for a name that `graph` does not have, a tensor of another graph, or
  /// none.
  Tensor resolve(const Graph& graph) const;

 private:
  Tensor tensor_;
  std::string name_;
};

using Feeds = std::vector<std::pair<Fetch, at::Tensor>>;

namespace internal {
class Plan;
class VariableStore;
}  // namespace internal

class Callable;

namespace internal {
/// The variables of the session that made it.
std::shared_ptr<VariableStore> store_of(const Callable& callable);
}  // namespace internal

/// A prepared run: feeds and fetches are fixed, the order of work is planned once. Cheap to copy.
/// Any number of threads may call one at the same time. It keeps the session's variables alive, and refers to
/// the session's graph, which must outlive it: a call after the graph's end is a UsageError. So is one of a
/// default-constructed Callable.
class Callable {
 public:
  Callable() = default;

  /// Runs with one value for each feed, in the order given to make_callable; returns one for each fetch
  /// (undefined for operations without a value). Results never share memory with variables or constants.
  /// Throws UsageError for a wrong number of values, or a value whose dtype or shape does not fit its
  /// placeholder. Errors of kernels name the node, and are of the kind that is to blame (kernel_error.h):
  /// DataError for values that an operator refuses, OutOfMemoryError, and so on.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& feeds = {}) const;

  /// Throws the UsageError that a call with `feeds` would.
  void check_feeds(const std::vector<at::Tensor>& feeds) const;
  /// A number, never 0, that changes after each write to a variable of the session.
  uint64_t version() const;

  const std::vector<Tensor>& feeds() const;
  const std::vector<Tensor>& fetches() const;
  /// The steps that a call takes, one a line.
  std::string describe() const;

 private:
  friend class Session;
  friend std::shared_ptr<internal::VariableStore> internal::store_of(const Callable&);
  explicit Callable(std::shared_ptr<const internal::Plan> plan) : plan_(std::move(plan)) {}
  const internal::Plan& plan() const;
  std::shared_ptr<const internal::Plan> plan_;
};

/// Holds the values of one graph's variables and runs the graph. The graph must outlive it. All members may
/// be called from several threads. Values of variables are not locked: a run that reads a variable while
/// another run or set_value writes it may see old elements and new ones side by side.
class Session {
 public:
  explicit Session(const Graph& graph);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Graph& graph() const { return *graph_; }

  /// Runs what the fetches need, and nothing else. A placeholder that is needed and not fed is an error that
  /// names it and the fetch that needs it.
  std::vector<at::Tensor> run(const std::vector<Fetch>& fetches, const Feeds& feeds = {});
  /// `run({x})`: a list of one is a list.
  std::vector<at::Tensor> run(std::initializer_list<Fetch> fetches, const Feeds& feeds = {}) {
    return run(std::vector<Fetch>(fetches), feeds);
  }
  at::Tensor run(const Fetch& fetch, const Feeds& feeds = {});

  /// Plans a run once, to be called many times. Throws UsageError for a placeholder that is needed and not
  /// fed, and for a feed of a variable that the run writes.
  Callable make_callable(const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches);

  /// Gives every variable that has no value yet its initial value, in the order of creation.
  void initialize_variables();
  bool is_initialized(const Variable& variable) const;

  /// A copy of the variable's value, of its logical shape and contiguous. Throws UsageError when it has none
  /// yet.
  at::Tensor value(const Variable& variable) const;
  /// Sets the value. Throws UsageError, with both shapes and dtypes, when it does not fit; nothing is changed
  /// then.
  void set_value(const Variable& variable, const at::Tensor& value);

  /// Where the random numbers stand: the state of the generator of each random node, by the node's name.
  /// Nodes that no run was planned with have none yet.
  std::map<std::string, at::Tensor> random_states() const;
  /// Sets generators to what random_states() returned, in this session or another of an equal graph, so that
  /// the same numbers follow. Returns the names that it could not set: of no random node of the graph, or
  /// with a state that is none of its generator.
  std::vector<std::string> set_random_states(const std::map<std::string, at::Tensor>& states);

 private:
  void check_graph() const;

  struct PlanCache;
  const Graph* graph_;
  std::weak_ptr<const void> graph_lifetime_;
  std::shared_ptr<internal::VariableStore> store_;
  std::unique_ptr<PlanCache> plans_;
};

}  // namespace belfry
