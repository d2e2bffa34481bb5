#pragma once

#include <ATen/core/Generator.h>

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/inference/internal/aten_view.h"
#include "belfry/program/prepared.h"
#include "belfry/program/program_assembler.h"
#include "belfry/runtime/compile_options.h"

namespace belfry::internal {

/// Turns the nodes of a graph into the instructions of a program.
class ProgramBuilder {
 public:
  /// `graph` has static shapes. `prepared` holds the values of its weights.
  ProgramBuilder(const Function& graph, Prepared& prepared, const CompileOptions& options);
  /// Nodes alone, to be added one by one.
  ProgramBuilder(Prepared& prepared, const CompileOptions& options);

  /// Once. Called below the dispatcher's autograd keys, as Program::run is. Throws UsageError where a shape
  /// depends on values.
  std::unique_ptr<Program> build();

  // What build() does, one by one, for who wants no results in memory of the caller's:

  /// The instructions of all nodes that the graph's outputs need, given in an order in which they can run.
  void add_nodes(const std::vector<const Node*>& nodes);
  /// The instructions of a node, whose inputs have been given.
  void add(const Node& node);
  void give(const Tensor& tensor, TensorView value) { values_[tensor] = std::move(value); }
  /// What lies there stays until the next run.
  void keep(const TensorView& tensor) { assembler_.keep(tensor); }
  /// Its values lie in `block`, or, where there is none, in one of its own.
  std::unique_ptr<Program> finish(std::shared_ptr<MemoryBlock> block = {});

  /// Where nodes that draw numbers have their generators from; without it they are refused.
  using Generators = std::function<at::Generator(const Node& node)>;
  void set_generators(Generators generators) { generators_ = std::move(generators); }

  // For what makes instructions of nodes:

  /// Throws InternalError where nobody has generators.
  at::Generator generator(const Node& node) const;

  /// The tensor that an input has; dense when asked for, with a copy in front where it is not.
  TensorView value(const Tensor& tensor);
  TensorView dense(const Tensor& tensor);
  /// Whether a node or a result reads it.
  bool is_used(const Tensor& output) const { return last_use_.contains(output); }
  /// How many inputs of nodes it is.
  int64_t uses(const Tensor& tensor) const { return uses_.at(tensor); }
  bool has_value(const Tensor& tensor) const {
    return values_.contains(tensor) || conversions_.contains(tensor);
  }
  /// Whether it is one of the weights, which have their values already.
  bool is_weight(const TensorView& tensor) const { return !assembler_.is_made(tensor); }
  /// The weight that a tensor is, or that it is a conversion of to another dtype: primitives convert as they
  /// pack. Undefined where it is none.
  TensorView weight_of(const Tensor& tensor);
  Prepared& prepared() { return prepared_; }
  /// A dense tensor of its own memory, not yet written.
  TensorView make(Sizes sizes, DType dtype) { return assembler_.make(std::move(sizes), element_type(dtype)); }
  TensorView make_output(const Tensor& output) { return make(output.shape(), output.dtype()); }
  /// What `node` is given for the schema's argument of that name; undefined where it is given nothing.
  TensorView argument(const Node& node, std::string_view name);
  /// Takes `value` for `output`.
  void define(const Tensor& output, TensorView value);
  /// The same for all outputs of a node.
  void define(const Node& node, const std::vector<TensorView>& values);
  /// Appends an instruction, with what it reads, writes, and uses up. Undefined tensors do not count.
  void emit(const Node& node, std::unique_ptr<Instruction> instruction, const std::vector<TensorView>& reads,
            const std::vector<TensorView>& writes);
  /// Like make_output; where an input of the same size is read for the last time by `node`, in its place.
  TensorView make_output_in_place(const Node& node, const Tensor& output);
  /// The same, in the place of that input.
  TensorView make_output_in_place_of(const Node& node, const Tensor& input, const Tensor& output);
  /// A dense tensor with the values of `input`, for `node` to add its output to: the input itself where
  /// nobody needs it afterwards, or a copy.
  TensorView make_output_from(const Node& node, const Tensor& input);

 private:
  bool add_views(const Node& node);
  void add_fetches();
  TensorView copy(const Node& node, const TensorView& given);
  bool may_overwrite(const Node& node, const Tensor& input);

  const Function* graph_ = nullptr;
  Prepared& prepared_;
  const CompileOptions& options_;
  ProgramAssembler assembler_;
  Generators generators_;
  std::unordered_map<Tensor, TensorView> values_;
  std::unordered_map<Tensor, const Node*> conversions_;  ///< of weights, done when somebody wants the values
  std::unordered_map<Tensor, int64_t> uses_;
  int64_t position_ = -1;  ///< of the node that is being added, among all
  // Positions of the last nodes that read
  std::unordered_map<Tensor, int64_t> last_use_;                   ///< a tensor
  std::unordered_map<const Memory*, int64_t> last_use_of_memory_;  ///< one of the tensors that lie there
};

}  // namespace belfry::internal
