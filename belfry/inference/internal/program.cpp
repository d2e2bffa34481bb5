#include "belfry/inference/internal/program.h"

#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "belfry/base/error.h"
#include "belfry/graph/kernel_error.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/invalid_operation.h"
#include "belfry/program/memory_plan.h"

// Nodes become instructions in their order, on tensors whose storages have no memory yet; a buffer knows the
// first instruction that writes it and the last that reads it. memory_plan.h then gives each a place in one
// block, and instructions bind to it. Invariant: a
// tensor that an instruction overwrites in place is read by nobody later (may_overwrite). Feeds and results
// are storages that point to the caller's memory at each run.

namespace belfry::internal {
namespace {

/// Storage without memory: it gets some, or somebody's, later.
c10::Storage empty_storage(int64_t bytes) {
  return c10::Storage(c10::Storage::use_byte_size_t(), static_cast<size_t>(bytes),
                      c10::DataPtr(nullptr, c10::kCPU), /*allocator=*/nullptr, /*resizable=*/false);
}

at::Tensor tensor_on(c10::Storage storage, at::IntArrayRef sizes, DType dtype) {
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), c10::scalarTypeToTypeMeta(dtype));
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
  return tensor;
}

void point(const c10::Storage& storage, void* memory) {
  storage.unsafeGetStorageImpl()->set_data_ptr_noswap(c10::DataPtr(memory, c10::kCPU));
}

class Copy : public Instruction {
 public:
  Copy(at::Tensor from, at::Tensor to) : from_(std::move(from)), to_(std::move(to)) {}
  void run() override { to_.copy_(from_); }
  std::string describe() const override { return "copy"; }

 private:
  at::Tensor from_, to_;
};

}  // namespace

Program::Program(Function graph, std::shared_ptr<Prepared> prepared, const CompileOptions& options)
    : graph_(std::move(graph)), prepared_(std::move(prepared)) {
  ProgramBuilder(*this, options).build();
}
Program::~Program() = default;

void Program::Entry::run() const {
  try {
    instruction->run();
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) throw OutOfMemoryError(fmt::format("[{}] {}", name, e.what()));
    throw InternalError(fmt::format("[{}] {} of {} (oneDNN's status {})", name, e.what(),
                                    instruction->describe(), static_cast<int>(e.status)));
  } catch (...) {  // the program was made for these shapes, so that it is the values that are refused
    rethrow_kernel_error({.who = name, .inputs = {}, .values_to_blame = [] { return true; }});
  }
}

void Program::bind(const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results,
                   int64_t first) {
  auto start = [&](const at::Tensor& tensor, const Tensor& own) {
    auto* data = static_cast<char*>(tensor.data_ptr());
    if (first == 0 || own.rank() == 0 || tensor.size(0) == own.dim(0)) return data;
    return data + static_cast<int64_t>(tensor.nbytes()) / tensor.size(0) * first;
  };
  for (size_t i = 0; i < feeds.size(); ++i) point(feed_storages_[i], start(feeds[i], graph_.inputs[i]));
  for (size_t i = 0; i < results.size(); ++i)
    point(result_storages_[i], start(results[i], graph_.outputs[i]));
}

bool Program::run(const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results,
                  int64_t first) {
  bind(feeds, results, first);
  bool invalid = false;
  for (const Entry& entry : instructions_) {
    if (entry.watched_from) forget_invalid_operations();
    entry.run();
    if (entry.watched_until) invalid = any_invalid_operation() || invalid;
  }
  return !invalid;
}

std::vector<ProfiledStep> Program::profile(const std::vector<at::Tensor>& feeds,
                                           const std::vector<at::Tensor>& results) {
  using Clock = std::chrono::steady_clock;
  bind(feeds, results);
  std::vector<ProfiledStep> steps;
  for (const Entry& entry : instructions_) {
    const auto start = Clock::now();
    entry.run();
    const std::chrono::duration<double> taken = Clock::now() - start;
    steps.push_back({entry.name, entry.instruction->describe(), taken.count()});
  }
  return steps;
}

std::string Program::describe() const {
  std::string text;
  for (const Entry& entry : instructions_)
    text += fmt::format("  {:40} {}\n", entry.name, entry.instruction->describe());
  return text + fmt::format("  memory: {} bytes for {} bytes of values\n", planned_bytes_, total_bytes_);
}

ProgramBuilder::ProgramBuilder(Program& program, const CompileOptions& options)
    : program_(program), options_(options) {}

void ProgramBuilder::build() {
  const Function& graph = program_.graph_;
  for (size_t i = 0; i < graph.weights.size(); ++i)
    values_[graph.weights[i].tensor] = program_.prepared_->values()[i];
  const auto nodes = graph.calls();
  for (const Node* node : nodes) {
    for (const Tensor& input : node->inputs()) last_use_[input] = node->id();
  }
  for (const Tensor& fetch : graph.outputs) last_use_[fetch] = INT64_MAX;
  for (const Tensor& feed : graph.inputs) define(feed, make_external(feed, program_.feed_storages_));
  for (const Node* node : nodes) add(*node);
  add_fetches();
  watch();
  plan_memory();
  for (auto& entry : program_.instructions_) entry.instruction->bind();
}

at::Tensor ProgramBuilder::make(at::IntArrayRef sizes, DType dtype) {
  const int64_t bytes = c10::multiply_integers(sizes) * static_cast<int64_t>(c10::elementSize(dtype));
  buffers_.push_back({.storage = empty_storage(bytes), .bytes = bytes, .first = now()});
  buffer_of_[buffers_.back().storage.unsafeGetStorageImpl()] = buffers_.size() - 1;
  return tensor_on(buffers_.back().storage, sizes, dtype);
}

at::Tensor ProgramBuilder::make_external(const Tensor& like, std::vector<c10::Storage>& storages) {
  at::Tensor tensor = make_output(like);
  buffers_.back().external = true;
  storages.push_back(buffers_.back().storage);
  return tensor;
}

ProgramBuilder::Buffer* ProgramBuilder::buffer_of(const at::Tensor& tensor) {
  auto found = buffer_of_.find(tensor.storage().unsafeGetStorageImpl());
  return found == buffer_of_.end() ? nullptr : &buffers_[found->second];
}

void ProgramBuilder::emit(const Node& node, std::unique_ptr<Instruction> instruction,
                          const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& writes) {
  for (const auto* tensors : {&reads, &writes}) {
    for (const at::Tensor& tensor : *tensors) {
      if (Buffer* buffer = tensor.defined() ? buffer_of(tensor) : nullptr) buffer->last = now();
    }
  }
  program_.instructions_.push_back({std::move(instruction), node.name()});
}

at::Tensor ProgramBuilder::dense(const Tensor& tensor) {
  const at::Tensor given = value(tensor);
  if (given.is_contiguous()) return given;
  const at::Tensor copied = make(given.sizes(), given.scalar_type());
  emit(tensor.node(), std::make_unique<Copy>(given, copied), {given}, {copied});
  return copied;
}

void ProgramBuilder::define(const Tensor& output, at::Tensor value) {
  if (Buffer* buffer = buffer_of(value)) {
    const auto last = last_use_.find(output);
    if (last != last_use_.end()) buffer->last_use = std::max(buffer->last_use, last->second);
  }
  values_[output] = std::move(value);
}

/// Whether `node` is the last to read the memory of `input`, a dense tensor, and reads it only as that.
bool ProgramBuilder::may_overwrite(const Node& node, const Tensor& input) {
  const at::Tensor given = value(input);
  const Buffer* buffer = buffer_of(given);
  if (!options_.plan_memory || !buffer || buffer->external || buffer->last_use != node.id() ||
      !given.is_contiguous() || given.nbytes() != static_cast<size_t>(buffer->bytes))
    return false;
  return std::count_if(node.inputs().begin(), node.inputs().end(),
                       [&](const Tensor& other) { return buffer_of(value(other)) == buffer; }) == 1;
}

at::Tensor ProgramBuilder::make_output_in_place(const Node& node, const Tensor& output) {
  for (const Tensor& input : node.inputs()) {
    const at::Tensor given = value(input);
    if (given.scalar_type() == output.dtype() && given.sizes() == at::IntArrayRef(output.shape()) &&
        may_overwrite(node, input))
      return given;
  }
  return make_output(output);
}

at::Tensor ProgramBuilder::make_output_from(const Node& node, const Tensor& input) {
  const at::Tensor given = value(input);
  if (may_overwrite(node, input)) return given;
  const at::Tensor copied = make(given.sizes(), given.scalar_type());
  emit(node, std::make_unique<Copy>(given, copied), {given}, {copied});
  return copied;
}

void ProgramBuilder::add(const Node& node) {
  if (node.kind() == NodeKind::kPlaceholder) return;
  if (node.kind() == NodeKind::kConstant) {
    values_[node.output()] = node.attribute("value").toTensor();
    return;
  }
  for (const NodeOutput& output : node.outputs()) {
    if (std::find(output.shape.begin(), output.shape.end(), kDynamic) != output.shape.end()) {
      throw UsageError(fmt::format("[compile] '{}' has a shape that depends on values: {}", node.name(),
                                   to_string(output.shape)));
    }
  }
  if (add_views(node)) return;
  if (options_.primitives) {
    for (const Lowering lower : lowerings_of(node.op_name())) {
      if (lower(*this, node)) return;
    }
  }
  lower_to_operator(*this, node);
}

/// Outputs that only look at an input's memory in another way cost nothing: they are tensors on the same
/// storage.
bool ProgramBuilder::add_views(const Node& node) {
  const auto& schema = node.op().schema();
  const bool may_alias =
      std::all_of(schema.returns().begin(), schema.returns().end(),
                  [](const c10::Argument& a) { return a.alias_info() && !a.alias_info()->isWrite(); }) ||
      node.op_name() == "belfry::slice" || node.op_name() == "belfry::split";
  if (!may_alias || node.inputs().size() != 1) return false;
  const at::Tensor given = value(node.inputs()[0]);
  const at::Tensor meta =
      at::empty_strided(given.sizes(), given.strides(), given.options().device(c10::kMeta));
  c10::Stack stack;
  for (const Argument& argument : node.arguments())
    stack.push_back(argument.kind == Argument::Kind::kInput ? c10::IValue(meta) : argument.constant);
  node.op().callBoxed(&stack);
  std::vector<at::Tensor> outputs;
  for (const c10::IValue& value : stack) {
    if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorVector()) outputs.push_back(tensor);
    } else {
      outputs.push_back(value.toTensor());
    }
  }
  for (const at::Tensor& output : outputs) {
    if (!output.is_alias_of(meta)) return false;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    define(node.output(static_cast<int>(i)),
           at::as_strided(given, outputs[i].sizes(), outputs[i].strides(),
                          given.storage_offset() + outputs[i].storage_offset()));
  }
  return true;
}

/// Each result gets memory of the caller's. The last instruction writes there itself where nothing forbids
/// it.
void ProgramBuilder::add_fetches() {
  for (const Tensor& fetch : program_.graph_.outputs) {
    const at::Tensor given = value(fetch);
    Buffer* buffer = buffer_of(given);
    const bool direct = buffer && !buffer->external && given.is_contiguous() && given.storage_offset() == 0 &&
                        given.nbytes() == static_cast<size_t>(buffer->bytes);
    if (direct) {
      buffer->external = true;
      program_.result_storages_.push_back(buffer->storage);
      continue;
    }
    const at::Tensor result = make_external(fetch, program_.result_storages_);
    emit(fetch.node(), std::make_unique<Copy>(given, result), {given}, {result});
  }
}

/// Instructions that may hide NaN are watched in stretches as long as can be, since all threads are asked at
/// both ends.
void ProgramBuilder::watch() {
  if (!options_.check_numbers) return;
  Program::Entry* last = nullptr;  // of the stretch
  for (Program::Entry& entry : program_.instructions_) {
    if (entry.instruction->is_often_invalid()) {
      if (last) last->watched_until = true;
      last = nullptr;
    } else if (entry.instruction->may_hide_nan()) {
      if (!last) entry.watched_from = true;
      last = &entry;
    }
  }
  if (last) last->watched_until = true;
}

/// Gives each buffer its place. Without sharing, all live as long as the program.
void ProgramBuilder::plan_memory() {
  std::vector<Buffer*> planned;
  std::vector<MemoryUse> uses;
  for (Buffer& buffer : buffers_) {
    if (buffer.external) continue;
    program_.total_bytes_ += static_cast<size_t>(buffer.bytes);
    planned.push_back(&buffer);
    uses.push_back(options_.plan_memory
                       ? MemoryUse{.bytes = buffer.bytes, .first = buffer.first, .last = buffer.last}
                       : MemoryUse{.bytes = buffer.bytes, .first = 0, .last = now()});
  }
  const MemoryPlan plan = internal::plan_memory(uses);
  program_.planned_bytes_ = static_cast<size_t>(plan.bytes);
  program_.arena_ = at::empty({plan.bytes + kMemoryAlignment}, c10::kByte);
  auto* start = static_cast<char*>(program_.arena_.data_ptr());
  start += -reinterpret_cast<intptr_t>(start) & (kMemoryAlignment - 1);
  for (size_t i = 0; i < planned.size(); ++i) point(planned[i]->storage, start + plan.offsets[i]);
}

}  // namespace belfry::internal
