#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include "belfry/graph/attribute.h"
#include "belfry/graph/tensor.h"

namespace belfry {

enum class NodeKind : int;
struct NodeData;
class Variable;
struct VariableRecord;

/// A computation, as nodes. Only grows; nodes, once built, never change. Build a graph from one thread at a
/// time; any number of sessions, in any threads, may run it meanwhile, and look tensors and variables up by
/// name. The lists (nodes, variables, collections) are for the thread that builds.
///
/// Functions that add nodes work on the default graph of their thread: enter one with GraphScope.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Expires when the graph is destroyed: what refers to its nodes without owning it, as a Callable does, can
  /// tell.
  std::weak_ptr<const void> lifetime() const { return lifetime_; }

  /// The tensor of that name, "conv0/output:0" or "conv0/output" (output 0). Throws UsageError, naming the
  /// closest existing names, when there is none.
  Tensor tensor(std::string_view name) const;
  /// As `tensor`, but none instead of an error.
  Tensor find_tensor(std::string_view name) const;

  /// Every node, in the order of building, which is a topological order.
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }

  /// Every variable of the graph, in the order of creation.
  const std::vector<std::unique_ptr<VariableRecord>>& variables() const { return variables_; }
  /// The variable of that full name ("conv0/W"), or null.
  VariableRecord* find_variable(std::string_view name) const;

  /// Collections: named lists of tensors that layers fill for others to find (collection.h has the usual
  /// keys).
  void add_to_collection(const std::string& key, Tensor tensor);
  const std::vector<Tensor>& collection(const std::string& key) const;
  /// Drops what was added to a collection after it had `size` members.
  void truncate_collection(const std::string& key, size_t size);
  const std::map<std::string, std::vector<Tensor>>& collections() const { return collections_; }

  /// Data that a folder above keeps with the graph, one value of each type; made on first use.
  template <typename T>
  T& extension() {
    std::shared_ptr<void>& value = extensions_[typeid(T)];
    if (!value) value = std::make_shared<T>();
    return *static_cast<T*>(value.get());
  }
  /// As above, but null when there is none yet.
  template <typename T>
  const T* find_extension() const {
    auto found = extensions_.find(typeid(T));
    return found == extensions_.end() ? nullptr : static_cast<const T*>(found->second.get());
  }

  /// Seed from which every random node without a seed of its own derives one, together with its name. Without
  /// it each session draws its numbers from the system's entropy.
  void set_seed(uint64_t seed) { seed_ = seed; }
  std::optional<uint64_t> seed() const { return seed_; }

  /// After this, adding a node is an error: the mistake of building inside the training loop shows itself.
  void finalize() { finalized_ = true; }
  bool finalized() const { return finalized_; }
  /// Allows nodes again, for who knows that the graph is still being built on purpose: a tower for prediction
  /// asked for in the middle of training.
  void reopen() { finalized_ = false; }

  // What the functions that add nodes are made of.

  /// Applies an operator of the dispatcher under the current scopes. `op` is a full name with overload
  /// ("aten::add.Tensor"), or without it where the arguments fit just one overload. `inputs` go to the
  /// schema's tensor arguments in order (all of them to its Tensor[] where that is the only one); none skips
  /// an optional argument; `attributes` are the others by name. Of several overloads that fit, the one
  /// without a name is taken, else the one that leaves the fewest arguments to their defaults; a tie is an
  /// error. The outputs' dtypes and shapes are inferred at once: a wrong shape is a UsageError here. `name`
  /// is completed by the current name scope and made unique; "" takes the operator's name.
  const Node& add(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes = {},
                  const std::string& name = "");
  /// Adds a node that is not a plain call, of known outputs.
  const Node& add_special(NodeKind kind, std::string_view op, const std::vector<Tensor>& inputs,
                          const Attributes& attributes, const std::string& name,
                          std::vector<std::pair<DType, Shape>> outputs);
  /// Adds a node like `node`, which may be another graph's, with other inputs, one for each of its own.
  /// Outputs are inferred anew where the inputs' dtypes or shapes differ. Control inputs are left behind.
  const Node& add_copy(const Node& node, std::vector<Tensor> inputs);
  /// A name that no node or scope has yet, as TensorFlow makes them: "conv0", "conv0_1".
  std::string unique_name(const std::string& name, bool mark = true);
  VariableRecord& add_variable(std::unique_ptr<VariableRecord> record);

 private:
  const Node& append(NodeData data);
  std::string node_name(std::string_view op, const std::string& name);
  void check_inputs(std::string_view who, const std::vector<Tensor>& inputs) const;

  std::vector<std::unique_ptr<Node>> nodes_;
  mutable std::shared_mutex lookup_;  ///< guards by_name_ and variables_by_name_
  std::map<std::string, const Node*, std::less<>> by_name_;
  std::map<std::string, int> names_in_use_;
  std::vector<std::unique_ptr<VariableRecord>> variables_;
  std::map<std::string, VariableRecord*, std::less<>> variables_by_name_;
  std::map<std::string, std::vector<Tensor>> collections_;
  std::map<std::type_index, std::shared_ptr<void>> extensions_;
  std::optional<uint64_t> seed_;
  bool finalized_ = false;
  std::shared_ptr<const void> lifetime_ = std::make_shared<char>();
};

/// Makes `graph` the default graph of this thread, with fresh scopes, until the guard ends. Nodes belong to
/// `device`, the CPU unless given; `GraphScope as_default(graph, current_device());` stays on the current
/// one.
class GraphScope {
 public:
  explicit GraphScope(Graph& graph);
  GraphScope(Graph& graph, c10::Device device);
  ~GraphScope();
  GraphScope(const GraphScope&) = delete;
  GraphScope& operator=(const GraphScope&) = delete;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

/// The default graph of this thread. Throws UsageError when no GraphScope is active.
Graph& default_graph();
/// As above, but null when there is none.
Graph* default_graph_or_null();

}  // namespace belfry
