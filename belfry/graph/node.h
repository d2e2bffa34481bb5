#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <c10/core/Device.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

/// What the executor does with a node. Every operator of the dispatcher (ATen's, Belfry's own, a user's) is
/// kCall; the others are the few operators that only a graph can have. Their schemas are registered as
/// `belfry::…` too.
enum class NodeKind : int {
  kCall,
  kPlaceholder,  ///< takes its value from the feeds; its input 0, if any, is the default
  kConstant,     ///< argument "value"
  kVariable,     ///< reads the session's storage, without a copy
  kIdentity,     ///< gives its input another name
  kGroup,        ///< runs its inputs; no value
  kGradients,    ///< inputs: loss, gradient of the loss or none, then the tensors to differentiate by
};

/// One argument of a node, in the order of the operator's schema: a constant, or one or several of the node's
/// inputs.
struct Argument {
  enum class Kind { kConstant, kInput, kInputList, kGenerator };
  Kind kind = Kind::kConstant;
  c10::IValue constant;     ///< kConstant
  std::vector<int> inputs;  ///< kInput: one index into Node::inputs(); kInputList: any number
};

/// Dtype and shape of one output of a node; DType::Undefined where the node only has an effect.
struct NodeOutput {
  DType dtype = DType::Undefined;
  Shape shape;
};

/// Where a random node takes its seed from.
struct NodeSeed {
  uint64_t value = 0;
  bool exact = false;  ///< the node's own; otherwise together with its name
};

/// What a node is made of.
struct NodeData {
  NodeKind kind = NodeKind::kCall;
  std::string name;
  c10::OperatorHandle op;
  std::vector<Argument> arguments;
  std::vector<Tensor> inputs;
  std::vector<const Node*> control_inputs;
  std::vector<NodeOutput> outputs;
  c10::Device device = c10::kCPU;
  std::optional<NodeSeed> seed;  ///< of a random node, where SeedScope gave one
};

/// An operator applied to tensors. Immutable once built; owned by its graph. Nodes are built after their
/// inputs, so the order of their ids is a topological order.
class Node {
 public:
  using Output = NodeOutput;

  Node(Graph* graph, int64_t id, NodeData data) : graph_(graph), id_(id), data_(std::move(data)) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  NodeKind kind() const { return data_.kind; }
  const std::string& name() const { return data_.name; }
  /// The schema names the arguments and says which of them are written in place.
  const c10::OperatorHandle& op() const { return data_.op; }
  /// "aten::add.Tensor", "belfry::conv2d"
  std::string op_name() const;
  const std::vector<Argument>& arguments() const { return data_.arguments; }
  /// The constant argument of that name, or none. Throws InternalError when the schema has no such argument.
  const c10::IValue& attribute(std::string_view name) const;
  /// Tensors that the arguments refer to, in order.
  const std::vector<Tensor>& inputs() const { return data_.inputs; }
  /// Nodes that must have run before this one.
  const std::vector<const Node*>& control_inputs() const { return data_.control_inputs; }
  const std::vector<Output>& outputs() const { return data_.outputs; }
  Tensor output(int index = 0) const { return Tensor(this, index); }
  /// All of them, in order.
  std::vector<Tensor> output_tensors() const;
  c10::Device device() const { return data_.device; }
  /// Indices of the inputs that the operator writes in place.
  const std::vector<int>& mutated_inputs() const { return mutated_inputs_; }
  /// True for operators that draw random numbers: each session gives such a node its own generator.
  bool is_random() const { return is_random_; }
  /// The seed of a random node: SeedScope's or the graph's, each together with the node's name (unless
  /// SeedScope is exact); none where neither gave one.
  std::optional<uint64_t> seed() const;

  Graph& graph() const { return *graph_; }
  int64_t id() const { return id_; }

 private:
  friend class Graph;
  Graph* graph_;
  int64_t id_;
  NodeData data_;
  std::vector<int> mutated_inputs_;
  bool is_random_ = false;
};

/// "aten::add.Tensor(self=x:0, other=y:0, alpha=1)", for messages and listings.
std::string describe(const Node& node);

}  // namespace belfry
