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

/// Zeros before and after an image, along one axis.
struct Padding {
  int64_t before = 0, after = 0;
};
/// For `outputs` windows of that extent and stride over `size` places, by the node's "SAME" or "VALID".
Padding padding_of(const OpParts& op, int64_t size, int64_t extent, int64_t stride, int64_t outputs);

/// Of values of that type, in the layout that the primitive likes best.
dnnl::memory::desc any_layout(const dnnl::memory::desc& desc, dnnl::memory::data_type type);
/// A filter [height, width, in / groups, out] as [out, in, height, width], or with the groups in front.
dnnl::memory::desc filter_desc(const TensorView& filter, int64_t groups);
/// An NHWC image, in oneDNN's logical order.
dnnl::memory::desc image_desc(const NodeOutput& output);
/// Appends the activation that a fused operator ends in.
void append_activation(dnnl::post_ops& ops, const OpParts& op);

/// A bias as primitives take it: the weight that `tensor` is or is a conversion of, or else its value.
/// Undefined where `tensor` is.
TensorView bias_of(ProgramBuilder& builder, const Tensor& tensor);

}  // namespace belfry::internal
