#include "belfry/inference/internal/program_builder.h"

#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/run_if.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/copy.h"

// Nodes become instructions in their order, on tensors whose memory the assembler places when all are there.
// Invariant: a tensor that an instruction overwrites in place is read by nobody later (may_overwrite).

namespace belfry::internal {
namespace {

/// An instruction that is passed over where a condition does not hold.
class RunConditionally : public Instruction {
 public:
  RunConditionally(std::vector<TensorView> conditions, std::unique_ptr<Instruction> instruction)
      : conditions_(std::move(conditions)), instruction_(std::move(instruction)) {}
  void run() override {
    const bool holds = std::ranges::all_of(
        conditions_, [](const TensorView& condition) { return *condition.data_as<const bool>(); });
    if (holds) instruction_->run();
  }
  bool may_hide_nan() const override { return instruction_->may_hide_nan(); }
  bool is_often_invalid() const override { return instruction_->is_often_invalid(); }
  std::string describe() const override { return instruction_->describe() + " if"; }

 private:
  std::vector<TensorView> conditions_;
  std::unique_ptr<Instruction> instruction_;
};

}  // namespace

ProgramBuilder::ProgramBuilder(const Function& graph, Prepared& prepared, const CompileOptions& options)
    : graph_(&graph), prepared_(prepared), options_(options) {}

ProgramBuilder::ProgramBuilder(Prepared& prepared, const CompileOptions& options)
    : prepared_(prepared), options_(options) {}

std::unique_ptr<Program> ProgramBuilder::build() {
  add_nodes(graph_->calls());
  add_fetches();
  return finish();
}

std::unique_ptr<Program> ProgramBuilder::finish(std::shared_ptr<MemoryBlock> block) {
  return assembler_.finish({.share_memory = options_.plan_memory,
                            .watch_numbers = options_.check_numbers,
                            .block = std::move(block)});
}

void ProgramBuilder::add_nodes(const std::vector<const Node*>& nodes) {
  for (size_t i = 0; i < graph_->weights.size(); ++i)
    values_[graph_->weights[i].tensor] = prepared_.values()[i];
  std::unordered_set<const Node*> differentiated;  // run by the gradients nodes that they are for
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto use_inputs = [&](const Node& node) {
      for (const Tensor& input : node.inputs()) last_use_[input] = static_cast<int64_t>(i);
    };
    use_inputs(*nodes[i]);
    for (const Tensor& input : nodes[i]->inputs()) ++uses_[input];
    if (nodes[i]->kind() != NodeKind::kGradients) continue;
    const Node& node = input_named(*nodes[i], "loss").node();
    use_inputs(node);
    differentiated.insert(&node);
  }
  for (const Tensor& fetch : graph_->outputs) last_use_[fetch] = INT64_MAX;
  for (const Tensor& feed : graph_->inputs)
    define(feed, assembler_.make_feed(feed.shape(), element_type(feed.dtype())));
  for (size_t i = 0; i < nodes.size(); ++i) {
    position_ = static_cast<int64_t>(i);
    if (!differentiated.contains(nodes[i])) add(*nodes[i]);
  }
  position_ = static_cast<int64_t>(nodes.size());
}

at::Generator ProgramBuilder::generator(const Node& node) const {
  if (!generators_) throw InternalError(fmt::format("[compile] '{}' draws random numbers", node.name()));
  return generators_(node);
}

void ProgramBuilder::emit(const Node& node, std::unique_ptr<Instruction> instruction,
                          const std::vector<TensorView>& reads, const std::vector<TensorView>& writes) {
  std::vector<TensorView> conditions;
  for (const Tensor& condition : conditions_of(node)) {
    if (has_value(condition)) conditions.push_back(value(condition));  // functions have none
  }
  if (!conditions.empty()) {
    std::vector<TensorView> all_reads = reads;
    all_reads.insert(all_reads.end(), conditions.begin(), conditions.end());
    instruction = std::make_unique<RunConditionally>(std::move(conditions), std::move(instruction));
    return assembler_.emit(node.name(), std::move(instruction), all_reads, writes);
  }
  assembler_.emit(node.name(), std::move(instruction), reads, writes);
}

TensorView ProgramBuilder::copy(const Node& node, const TensorView& given) {
  const TensorView copied = assembler_.make(given.sizes(), given.type());
  emit(node, std::make_unique<Copy>(given, copied), {given}, {copied});
  return copied;
}

TensorView ProgramBuilder::value(const Tensor& tensor) {
  if (const auto conversion = conversions_.find(tensor); conversion != conversions_.end()) {
    const Node& node = *conversion->second;
    conversions_.erase(conversion);
    lower_to_operator(*this, node);
  }
  return values_.at(tensor);
}

TensorView ProgramBuilder::argument(const Node& node, std::string_view name) {
  const Tensor tensor = input_named(node, name);
  return tensor.defined() ? value(tensor) : TensorView();
}

void ProgramBuilder::define(const Node& node, const std::vector<TensorView>& values) {
  for (size_t i = 0; i < values.size(); ++i) define(node.output(static_cast<int>(i)), values[i]);
}

TensorView ProgramBuilder::weight_of(const Tensor& tensor) {
  const auto conversion = conversions_.find(tensor);
  const TensorView found = value(conversion == conversions_.end() ? tensor : conversion->second->inputs()[0]);
  return is_weight(found) ? found : TensorView();
}

TensorView ProgramBuilder::dense(const Tensor& tensor) {
  const TensorView given = value(tensor);
  return given.is_contiguous() ? given : copy(tensor.node(), given);
}

void ProgramBuilder::define(const Tensor& output, TensorView value) {
  if (const auto last = last_use_.find(output); last != last_use_.end()) {
    int64_t& use = last_use_of_memory_.try_emplace(value.memory().get(), -1).first->second;
    use = std::max(use, last->second);
  }
  values_[output] = std::move(value);
}

/// Whether `node` is the last to read the memory of `input`, a dense tensor, and reads it only as that.
bool ProgramBuilder::may_overwrite(const Node& node, const Tensor& input) {
  const TensorView given = value(input);
  const Memory* memory = given.memory().get();
  if (!options_.plan_memory || !assembler_.is_made(given) || assembler_.is_external(given)) return false;
  const auto last = last_use_of_memory_.find(memory);
  if (last == last_use_of_memory_.end() || last->second != position_ || !given.is_contiguous() ||
      given.nbytes() != memory->bytes)
    return false;
  return std::ranges::count_if(node.inputs(), [&](const Tensor& other) {
           const auto found = values_.find(other);  // none: a conversion that is still to be made, or never
           return found != values_.end() && found->second.memory().get() == memory;
         }) == 1;
}

TensorView ProgramBuilder::make_output_in_place(const Node& node, const Tensor& output) {
  for (const Tensor& input : node.inputs()) {
    const TensorView given = value(input);
    if (given.type() == element_type(output.dtype()) && given.sizes() == output.shape() &&
        may_overwrite(node, input))
      return given;
  }
  return make_output(output);
}

TensorView ProgramBuilder::make_output_in_place_of(const Node& node, const Tensor& input,
                                                   const Tensor& output) {
  const TensorView given = value(input);
  const bool fits = given.type() == element_type(output.dtype()) && given.sizes() == output.shape();
  return fits && may_overwrite(node, input) ? given : make_output(output);
}

TensorView ProgramBuilder::make_output_from(const Node& node, const Tensor& input) {
  const TensorView given = value(input);
  return may_overwrite(node, input) ? given : copy(node, given);
}

void ProgramBuilder::add(const Node& node) {
  if (node.kind() == NodeKind::kPlaceholder) return;
  if (node.kind() == NodeKind::kIdentity) return define(node.output(), value(node.inputs()[0]));
  if (node.kind() == NodeKind::kGradients) return lower_gradients(*this, node);
  if (node.kind() == NodeKind::kConstant) {
    values_[node.output()] = view_of(node.attribute("value").toTensor());
    return;
  }
  for (const NodeOutput& output : node.outputs()) {
    if (std::find(output.shape.begin(), output.shape.end(), kDynamic) != output.shape.end()) {
      throw UsageError(fmt::format("[compile] '{}' has a shape that depends on values: {}", node.name(),
                                   to_string(output.shape)));
    }
  }
  if (!node.mutated_inputs().empty()) return lower_write(*this, node);
  if (add_views(node)) return;
  if (node.op_name() == "aten::_to_copy" && is_weight(value(node.inputs()[0]))) {
    conversions_[node.output()] = &node;
    return;
  }
  const bool is_collective = node.op_name().starts_with("belfry::all_reduce_");  // has no other way
  if (options_.primitives || is_collective) {
    for (const Lowering lower : lowerings_of(node.op_name())) {
      if (lower(*this, node)) return;
    }
  }
  lower_to_operator(*this, node);
}

/// Outputs that only look at an input's memory in another way cost nothing: they are views of the same
/// memory.
bool ProgramBuilder::add_views(const Node& node) {
  const auto& schema = node.op().schema();
  if (schema.returns().empty()) return false;
  const bool may_alias =
      std::all_of(schema.returns().begin(), schema.returns().end(),
                  [](const c10::Argument& a) { return a.alias_info() && !a.alias_info()->isWrite(); }) ||
      is_unannounced_view(node);
  if (!may_alias || node.inputs().size() != 1) return false;
  // With lists, empty ones too, comes what has an effect: printing.
  const auto is_list = [](const Argument& argument) { return argument.kind == Argument::Kind::kInputList; };
  if (std::ranges::any_of(node.arguments(), is_list)) return false;
  const TensorView given = value(node.inputs()[0]);
  const at::Tensor meta = at::empty_strided(given.sizes(), given.strides(),
                                            at::TensorOptions(dtype_of(given.type())).device(c10::kMeta));
  c10::Stack stack;
  for (const Argument& argument : node.arguments())
    stack.push_back(argument.kind == Argument::Kind::kInput ? c10::IValue(meta) : argument.constant);
  node.op().callBoxed(&stack);
  const std::vector<at::Tensor> outputs = results_of(stack);
  for (const at::Tensor& output : outputs) {
    const bool reads_otherwise =
        output.scalar_type() != meta.scalar_type() || output.is_conj() || output.is_neg();
    if (!output.is_alias_of(meta) || reads_otherwise) return false;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    define(node.output(static_cast<int>(i)),
           given.as_strided(outputs[i].sizes().vec(), outputs[i].strides().vec(),
                            given.offset() + outputs[i].storage_offset()));
  }
  return true;
}

/// Each result gets memory of the caller's. The last instruction writes there itself where nothing forbids
/// it. A size that values decide, of a weight for instance, stays unknown where all feeds' sizes are known.
void ProgramBuilder::add_fetches() {
  for (const Tensor& fetch : graph_->outputs) {
    if (std::ranges::find(fetch.shape(), kDynamic) != fetch.shape().end()) {
      throw UsageError(
          fmt::format("expected results of sizes that the graph knows, got {}", describe(fetch)));
    }
    const TensorView given = value(fetch);
    if (assembler_.make_result_of(given)) continue;
    const TensorView result = assembler_.make_result(fetch.shape(), element_type(fetch.dtype()));
    emit(fetch.node(), std::make_unique<Copy>(given, result), {given}, {result});
  }
}

}  // namespace belfry::internal
