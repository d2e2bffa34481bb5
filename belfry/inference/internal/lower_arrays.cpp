#include <memory>

#include "belfry/inference/internal/lowerings.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/copy.h"

// Operators that only move elements, as copies to their places: ATen's would make a result of their own, to
// be copied to planned memory.

namespace belfry::internal {
namespace {

/// Of what lies so that the new shape is no view of it.
bool lower_reshape(ProgramBuilder& builder, const Node& node) {
  builder.define(node.output(), builder.dense(node.inputs()[0]).view(node.outputs()[0].shape));
  return true;
}

bool lower_stack(ProgramBuilder& builder, const Node& node) {
  const Shape& shape = node.outputs()[0].shape;
  if (c10::multiply_integers(shape) == 0) return false;
  int64_t axis = node.attribute("dim").toInt();
  if (axis < 0) axis += static_cast<int64_t>(shape.size());
  const TensorView stacked = builder.make_output(node.output());
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Tensor& input = node.inputs()[i];
    if (input.dtype() != node.outputs()[0].dtype) return false;
    const TensorView part = builder.value(input);
    Sizes strides = stacked.strides();
    strides.erase(strides.begin() + axis);
    const TensorView place = stacked.as_strided(
        part.sizes(), strides, stacked.offset() + static_cast<int64_t>(i) * stacked.stride(axis));
    builder.emit(node, std::make_unique<Copy>(part, place), {part}, {stacked});
  }
  builder.define(node.output(), stacked);
  return true;
}

}  // namespace

void add_array_lowerings(Lowerings& table) {
  for (const char* op : {"aten::reshape", "aten::flatten.using_ints", "aten::unflatten.int"})
    table[op].push_back(lower_reshape);
  table["aten::stack"].push_back(lower_stack);
}

}  // namespace belfry::internal
