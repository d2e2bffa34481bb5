#include "belfry/runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "belfry/base/error.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/graph/node.h"
#include "belfry/runtime/internal/plan.h"
#include "belfry/runtime/internal/variable_store.h"

// A session is a store of variables and a cache of plans by their feeds and fetches. The store outlives the
// session in the callables that share it; the graph must outlive both, which a weak pointer to its lifetime
// checks.

namespace belfry {
namespace {

std::vector<Tensor> resolve_all(const Graph& graph, const std::vector<Fetch>& fetches) {
  std::vector<Tensor> tensors;
  tensors.reserve(fetches.size());
  for (const Fetch& fetch : fetches) tensors.push_back(fetch.resolve(graph));
  return tensors;
}

void check_variable(const Graph& graph, const Variable& variable) {
  if (!variable.defined()) throw UsageError("[Session] expected a variable, got none");
  if (&variable.tensor().graph() != &graph) {
    throw UsageError(fmt::format(
        "[Session] expected a variable of the session's graph, got '{}' of another graph", variable.name()));
  }
}

}  // namespace

Tensor Fetch::resolve(const Graph& graph) const {
  if (!name_.empty()) return graph.tensor(name_);
  if (!tensor_.defined()) throw UsageError("[Session] expected a tensor or the name of one, got none");
  if (&tensor_.graph() != &graph) {
    throw UsageError(fmt::format(
        "[Session] expected a tensor of the session's graph, got '{}' of another graph", tensor_.name()));
  }
  return tensor_;
}

const internal::Plan& Callable::plan() const {
  if (!plan_) throw UsageError("[Callable] expected one that a session made, got an empty one");
  return *plan_;
}
std::vector<at::Tensor> Callable::operator()(const std::vector<at::Tensor>& feeds) const {
  return plan().run(feeds);
}
std::shared_ptr<internal::VariableStore> internal::store_of(const Callable& callable) {
  return callable.plan().shared_store();
}
void Callable::check_feeds(const std::vector<at::Tensor>& feeds) const {
  plan().check_feeds(feeds);
}
uint64_t Callable::version() const {
  return plan().store().version();
}
const std::vector<Tensor>& Callable::feeds() const {
  return plan().feeds();
}
const std::vector<Tensor>& Callable::fetches() const {
  return plan().fetches();
}
std::string Callable::describe() const {
  return plan().describe();
}

struct Session::PlanCache {
  using Key = std::pair<std::vector<Tensor>, std::vector<Tensor>>;
  std::mutex mutex;
  struct Hash {
    size_t operator()(const Key& key) const {
      size_t hash = key.first.size();
      for (const auto* tensors : {&key.first, &key.second}) {
        for (const Tensor& tensor : *tensors) hash = hash * 1000003 + std::hash<Tensor>()(tensor);
      }
      return hash;
    }
  };
  std::unordered_map<Key, std::shared_ptr<const internal::Plan>, Hash> plans;
};

Session::Session(const Graph& graph)
    : graph_(&graph),
      graph_lifetime_(graph.lifetime()),
      store_(std::make_shared<internal::VariableStore>()),
      plans_(std::make_unique<PlanCache>()) {}
Session::~Session() = default;

void Session::check_graph() const {
  if (graph_lifetime_.expired())
    throw UsageError(
        "[Session] expected the graph to live as long as the session, got one that is destroyed");
}

Callable Session::make_callable(const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches) {
  check_graph();
  PlanCache::Key key(resolve_all(*graph_, feeds), resolve_all(*graph_, fetches));
  std::lock_guard lock(plans_->mutex);
  auto found = plans_->plans.find(key);
  if (found == plans_->plans.end()) {
    auto plan = std::make_shared<const internal::Plan>(*graph_, store_,
                                                       internal::make_plan(key.first, key.second, *store_));
    found = plans_->plans.emplace(std::move(key), std::move(plan)).first;
  }
  return Callable(found->second);
}

std::vector<at::Tensor> Session::run(const std::vector<Fetch>& fetches, const Feeds& feeds) {
  std::vector<Fetch> names;
  std::vector<at::Tensor> values;
  for (const auto& [name, value] : feeds) {
    names.push_back(name);
    values.push_back(value);
  }
  return make_callable(names, fetches)(values);
}

at::Tensor Session::run(const Fetch& fetch, const Feeds& feeds) {
  return run(std::vector<Fetch>{fetch}, feeds)[0];
}

void Session::initialize_variables() {
  check_graph();
  for (const auto& record : graph_->variables()) {
    const Variable variable(record.get());
    if (is_initialized(variable)) continue;
    const internal::Plan plan(*graph_, store_, internal::make_plan({}, {variable.initial_value()}, *store_));
    set_value(variable, plan.run({})[0]);
  }
}

bool Session::is_initialized(const Variable& variable) const {
  check_graph();
  check_variable(*graph_, variable);
  return store_->cell(variable.tensor().node()).initialized;
}

at::Tensor Session::value(const Variable& variable) const {
  check_graph();
  check_variable(*graph_, variable);
  const BelowAutograd below;
  return store_->cell(variable.tensor().node()).value().clone(at::MemoryFormat::Contiguous);
}

void Session::set_value(const Variable& variable, const at::Tensor& value) {
  check_graph();
  check_variable(*graph_, variable);
  if (!value.defined() || value.scalar_type() != variable.dtype() ||
      value.sizes().vec() != variable.shape()) {
    throw UsageError(fmt::format(
        "[Session] expected {} {} for the variable '{}', got {}", to_string(variable.dtype()),
        to_string(variable.shape()), variable.name(),
        value.defined() ? to_string(value.scalar_type()) + " " + to_string(value.sizes().vec()) : "none"));
  }
  const BelowAutograd below;
  auto& cell = store_->cell(variable.tensor().node());
  cell.memory.copy_(value);
  cell.memory.unsafeGetTensorImpl()->bump_version();
  cell.initialized.store(true, std::memory_order_release);
  store_->count_write();
}

std::map<std::string, at::Tensor> Session::random_states() const {
  return store_->generator_states();
}

std::vector<std::string> Session::set_random_states(const std::map<std::string, at::Tensor>& states) {
  std::vector<std::string> left;
  for (const auto& [name, state] : states) {
    const Tensor found = graph_->find_tensor(name);
    const bool is_random =
        found && std::any_of(found.node().arguments().begin(), found.node().arguments().end(),
                             [](const Argument& a) { return a.kind == Argument::Kind::kGenerator; });
    if (!is_random || !store_->set_generator_state(found.node(), state)) left.push_back(name);
  }
  return left;
}

}  // namespace belfry
