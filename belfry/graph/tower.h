#pragma once

#include <c10/core/Device.h>

#include <array>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// The context in which a tower function is called: whether it trains, under which name, on which device.
/// Layers that behave differently in training ask it. Enter it with a guard object, once; towers do not nest.
///
/// In a tower that does not train, what the function adds to kSummaries, kMovingSummaries and kUpdateOps is
/// dropped when the guard ends.
class TowerContext {
 public:
  struct Options {
    bool is_training = true;
    /// Default: the current device.
    std::optional<c10::Device> device = {};
    /// Variables are created (or found) under this variable scope too; "" for none.
    std::string variable_scope = {};
    /// Index of this training tower, and how many there are.
    int index = 0;
    int total = 1;
  };

  /// `name` becomes the name scope of the tower, exactly; "" builds at the root. Throws UsageError when a
  /// tower is already open in this thread.
  TowerContext(const std::string& name, Options options);
  ~TowerContext();
  TowerContext(const TowerContext&) = delete;
  TowerContext& operator=(const TowerContext&) = delete;

  const std::string& name() const { return name_; }
  bool is_training() const { return options_.is_training; }
  c10::Device device() const { return device_; }
  const std::string& variable_scope() const { return options_.variable_scope; }
  int index() const { return options_.index; }
  bool is_main_training_tower() const { return options_.is_training && options_.index == 0; }
  /// Whether this tower creates variables of its own, rather than reusing another's.
  bool has_own_variables() const;
  /// Members that were added to a collection in this tower so far.
  std::vector<Tensor> collection_in_tower(const std::string& key) const { return collections_.added(key); }

 private:
  friend class TowerTensorHandle;

  std::string name_;
  Options options_;
  c10::Device device_;
  bool reuses_;
  Graph* graph_;
  size_t index_in_graph_;  ///< among all the graph's towers
  CollectionGuard collections_;
  std::optional<VariableScope> variable_scope_;
  std::optional<NameScope> name_scope_;
  std::optional<DeviceScope> device_scope_;
};

/// The tower open in this thread, or null.
const TowerContext* current_tower_context_or_null();
/// As above; throws UsageError, naming `who` asked, when there is none.
const TowerContext& current_tower_context(const std::string& who = "current_tower_context");

/// The inputs of a tower function, by name. An inference graph may give only some of them.
class TowerInputs {
 public:
  TowerInputs(std::initializer_list<std::pair<std::string, Tensor>> inputs) : inputs_(inputs) {}
  explicit TowerInputs(std::vector<std::pair<std::string, Tensor>> inputs) : inputs_(std::move(inputs)) {}

  bool has(const std::string& name) const;
  /// Throws UsageError, listing the names given, when there is no such input.
  Tensor operator[](const std::string& name) const;
  /// The first N inputs in the order of the signature, to be taken apart: `auto [image, label] =
  /// in.get<2>();` An input that was not given is none.
  template <size_t N>
  std::array<Tensor, N> get() const {
    std::array<Tensor, N> result;
    for (size_t i = 0; i < N && i < inputs_.size(); ++i) result[i] = inputs_[i].second;
    return result;
  }
  const std::vector<std::pair<std::string, Tensor>>& items() const { return inputs_; }

 private:
  std::vector<std::pair<std::string, Tensor>> inputs_;
};

/// What a tower function returns: a tensor, none, or several, `return {cost, accuracy}`. Where one tensor is
/// expected it is the first.
class TowerOutputs {
 public:
  TowerOutputs() = default;
  template <std::convertible_to<Tensor> Output>
  TowerOutputs(const Output& output) : list_{output} {}
  TowerOutputs(std::initializer_list<Tensor> outputs) : list_(outputs) {}
  TowerOutputs(std::vector<Tensor> outputs) : list_(std::move(outputs)) {}

  const std::vector<Tensor>& list() const { return list_; }
  operator Tensor() const { return list_.empty() ? Tensor() : list_[0]; }

 private:
  std::vector<Tensor> list_;
};

/// What one call of a tower function left behind: its inputs, its outputs, and its tensors by name.
class TowerTensorHandle {
 public:
  TowerTensorHandle(const TowerContext& tower, Graph& graph, TowerInputs inputs, TowerOutputs outputs);

  const std::string& name() const { return name_; }
  bool is_training() const { return is_training_; }
  const TowerInputs& inputs() const { return inputs_; }
  /// What the function returned; of several tensors the first.
  Tensor output() const { return outputs_; }
  const std::vector<Tensor>& outputs() const { return outputs_.list(); }
  /// The input of that name, else the tensor "prob" of this tower ("tower-pred/prob:0"), else a variable of
  /// it, else a tensor or variable of that full name in the graph. Throws UsageError when none is found; also
  /// when this tower does not train and the tensor found is one that another tower has computed: a name that
  /// only the training tower has must not give its tensor, dropout and all.
  Tensor tensor(const std::string& name) const;
  /// The variable "fc/W" of this tower: under its variable scope, if it has one. Throws UsageError when there
  /// is none.
  Variable variable(const std::string& name) const;
  /// As above, one for each name.
  std::vector<Tensor> tensors(const std::vector<std::string>& names) const;
  std::vector<Variable> variables(const std::vector<std::string>& names) const;
  /// What the function added to a collection in this call, be it that it was dropped since.
  std::vector<Tensor> collection(const std::string& key) const;

 private:
  Tensor usable_here(const Tensor& found) const;

  std::string name_;
  bool is_training_;
  std::string variable_scope_;
  size_t index_in_graph_;
  Graph* graph_;
  TowerInputs inputs_;
  TowerOutputs outputs_;
  std::map<std::string, std::vector<Tensor>> collections_;
};

/// The towers that a tower function has built, in order.
class TowerTensorHandles : public std::vector<TowerTensorHandle> {
 public:
  /// Only those that train, or that do not.
  TowerTensorHandles training() const;
  TowerTensorHandles inference() const;
};

/// A function that builds one tower, and its calls. It may be called any number of times, under different
/// towers: to train, and again to predict.
class TowerFunc {
 public:
  using Function = std::function<TowerOutputs(const TowerInputs&)>;
  /// Input names must be unique and hold none of ':', '/' and ' '.
  TowerFunc(Function function, std::vector<TensorSpec> signature);

  /// Calls the function in the current TowerContext (an error outside one). Inputs are put in the order of
  /// the signature; missing ones are none; an unknown name, or a dtype or shape that does not fit, is a
  /// UsageError.
  TowerOutputs operator()(const TowerInputs& inputs);
  /// Calls the function in `tower`, the current TowerContext, with `tensors` as its inputs, one for each of
  /// the signature and in its order. Returns the handle of the call, valid until the next.
  const TowerTensorHandle& build(const TowerContext& tower, const std::vector<Tensor>& tensors);

  const std::vector<TensorSpec>& signature() const { return signature_; }
  /// One handle for each call so far.
  const TowerTensorHandles& towers() const { return towers_; }
  /// The handle of the tower of that name, or null.
  const TowerTensorHandle* find_tower(const std::string& name) const;

 private:
  TowerOutputs call(const TowerContext& tower, std::vector<std::pair<std::string, Tensor>> inputs);

  Function function_;
  std::vector<TensorSpec> signature_;
  TowerTensorHandles towers_;
};

}  // namespace belfry
