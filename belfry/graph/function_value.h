#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <memory>
#include <optional>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/graph/node.h"

namespace belfry {

/// A function as the value of an operator's argument: what a branch, the body of a loop or a gradient
/// computes. In a schema its type is Capsule. Immutable; any number of threads run one at the same time.
///
/// The function has no weights: what it uses from around it is among its inputs. Its random nodes draw from
/// the generator that a run is given.
class FunctionValue final : public torch::CustomClassHolder {
 public:
  /// As an argument. Throws UsageError for a function with weights.
  static c10::IValue of(std::shared_ptr<const Function> function);
  /// The function of an argument; null where the value is none.
  static const FunctionValue* in(const c10::IValue& value);

  explicit FunctionValue(std::shared_ptr<const Function> function);
  ~FunctionValue() override;

  const Function& function() const { return *function_; }
  const std::shared_ptr<const Function>& shared() const { return function_; }
  /// Whether it draws random numbers.
  bool is_random() const { return is_random_; }

  /// Runs it, by the dispatcher, in the mode of autograd that this thread is in. No output is the very tensor
  /// of an input, but it may share its memory.
  std::vector<at::Tensor> run(std::vector<at::Tensor> inputs,
                              const std::optional<at::Generator>& generator = {}) const;
  /// Dtypes and shapes of the outputs for inputs of these shapes, which may hold kDynamic. Throws UsageError
  /// for shapes that an operator of it refuses.
  std::vector<NodeOutput> infer(const std::vector<Shape>& inputs) const;

 private:
  struct Call;
  std::shared_ptr<const Function> function_;
  std::vector<Call> calls_;
  std::vector<int> output_slots_;
  int num_slots_ = 0;
  bool is_random_ = false;
};

/// The function that a node holds as the argument `name`. Throws InternalError where it holds none.
const FunctionValue& held_function(const Node& node, std::string_view name);

/// Adds the nodes of `function` to the default graph, with `inputs` for its inputs. Returns its outputs.
std::vector<Tensor> inline_function(const Function& function, const std::vector<Tensor>& inputs);

}  // namespace belfry
