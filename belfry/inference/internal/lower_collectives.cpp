#include <ATen/core/dispatch/Dispatcher.h>

#include "belfry/inference/internal/lowerings.h"

// A reduction over processes that goes on while other instructions run: in place where nobody else reads what
// is reduced, and waited for as late as the order of the nodes has it. The operators are called by name, as
// programs know nothing of processes.

namespace belfry::internal {
namespace {

/// Calls a boxed operator on one tensor, in its memory.
template <typename... Rest>
std::unique_ptr<Instruction> make_call(const char* op, const TensorView& view, Rest... rest) {
  const auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(op, "");
  AtenTensors tensors;
  const at::Tensor tensor = tensors.on(view);
  return make_instruction(op, [=] {
    tensors.follow_memory();
    c10::Stack stack = {tensor, rest...};
    handle.callBoxed(&stack);
  });
}

bool lower_start(ProgramBuilder& builder, const Node& node) {
  const TensorView output = builder.make_output_from(node, node.inputs()[0]);
  builder.emit(node, make_call("belfry::all_reduce_start_", output, node.attribute("op")), {output},
               {output});
  builder.define(node.output(), output);
  return true;
}

bool lower_wait(ProgramBuilder& builder, const Node& node) {
  const TensorView value = builder.value(node.inputs()[0]);
  builder.emit(node, make_call("belfry::all_reduce_wait", value), {value}, {value});
  builder.define(node.output(), value);
  return true;
}

}  // namespace

void add_collective_lowerings(Lowerings& table) {
  table["belfry::all_reduce_start"].push_back(lower_start);
  table["belfry::all_reduce_wait"].push_back(lower_wait);
}

}  // namespace belfry::internal
