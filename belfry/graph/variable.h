#pragma once

#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// Builds the nodes that compute a variable's first value.
using Initializer = std::function<Tensor(const Shape& shape, DType dtype)>;
/// Builds a scalar loss from a variable, e.g. l2_regularizer(1e-4); null: none.
using Regularizer = std::function<Tensor(const Tensor& variable)>;

/// What a graph knows of a variable. The values live in sessions.
struct VariableRecord {
  Tensor tensor;         ///< the node that reads it; its name is the variable's
  Tensor initial_value;  ///< runs once, when a session initialises the variable
  bool trainable = true;
};

/// A handle on a variable of a graph; usable wherever a Tensor is: it reads the value without a copy, or what
/// a getter of the scope where it was got put in the value's place (variable_getter.h). A default-constructed
/// one is of no variable: all that asks it for something throws UsageError.
class Variable {
 public:
  Variable() = default;
  explicit Variable(const VariableRecord* record) : record_(record) {}

  bool defined() const { return record_ != nullptr; }
  /// The name in checkpoints: "conv0/W".
  const std::string& name() const { return record().tensor.op_name(); }
  const Shape& shape() const { return record().tensor.shape(); }
  DType dtype() const { return record().tensor.dtype(); }
  bool trainable() const { return record().trainable; }
  /// The nodes that compute its first value.
  Tensor initial_value() const { return record().initial_value; }
  /// The variable itself, whatever a getter makes of it: what is written, saved and trained.
  Tensor tensor() const { return record().tensor; }
  /// What is read of it: `tensor()`, unless a getter put something in its place.
  Tensor seen() const { return seen_.defined() ? seen_ : tensor(); }
  operator Tensor() const { return seen(); }
  /// The same variable, of which `seen` is read: what a getter returns.
  Variable seen_as(const Tensor& seen) const {
    Variable result(&record());
    result.seen_ = seen;
    return result;
  }

  /// True for handles on the same variable, whatever is seen of it.
  friend bool operator==(const Variable& a, const Variable& b) { return a.record_ == b.record_; }

 private:
  const VariableRecord& record() const;
  const VariableRecord* record_ = nullptr;
  Tensor seen_;
};

struct VariableOptions {
  DType dtype = kFloat32;
  /// Default: glorot uniform for floats, zero for the rest, as in TensorFlow.
  Initializer initializer = {};
  bool trainable = true;
  /// Adds its loss to kRegularizationLosses when the variable is created.
  Regularizer regularizer = {};
  /// Where the variable is listed, besides kTrainableVariables if trainable.
  std::vector<std::string> collections = {kGlobalVariables};
  /// Order of the dimensions in memory, outermost first; empty: as in `shape`. A hint for kernels that never
  /// shows in names, shapes or checkpoints: a convolution keeps its [H, W, I, O] weights as {3, 0, 1, 2},
  /// output channel first.
  std::vector<int64_t> memory_order = {};
};

/// Creates the variable `name` under the current variable scope, or finds it when the scope reuses (Reuse
/// says which). Sizes must be static. Throws UsageError when the name exists and the scope does not reuse,
/// when it is missing and the scope reuses, or when an existing one has another shape or dtype. Getters of
/// the surrounding scopes (variable_getter.h) are asked in its place.
Variable get_variable(const std::string& name, const Shape& shape, const VariableOptions& options = {});

/// The variable that `tensor` reads; not defined when it is not one.
Variable as_variable(const Tensor& tensor);

/// Members of a collection that are variables: `variables_in(graph, kTrainableVariables)`.
std::vector<Variable> variables_in(const Graph& graph, const std::string& collection);
/// Shorthand for kTrainableVariables of the default graph.
std::vector<Variable> trainable_variables();
/// Shorthand for kGlobalVariables of the default graph: what a checkpoint holds.
std::vector<Variable> global_variables();

}  // namespace belfry
