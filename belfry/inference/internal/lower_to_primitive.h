#pragma once

#include <memory>
#include <vector>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/primitive.h"

// What lowerings of nodes to primitives of oneDNN have in common.

namespace belfry::internal {

/// Adds scratch memory and appends the instruction, which is part of `node` and writes `outputs`.
void emit(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
          const std::vector<TensorView>& outputs);
/// The same for the last one of a node, whose output that is. Returns true, as lowerings do.
bool emit_output(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
                 const TensorView& output);

/// An NHWC image, in oneDNN's logical order.
dnnl::memory::desc image_desc(const NodeOutput& output);
/// Appends the activation that a fused operator ends in.
void append_activation(dnnl::post_ops& ops, const OpParts& op);

}  // namespace belfry::internal
