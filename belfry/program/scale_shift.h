#pragma once

#include <memory>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// y = min(max(x * scale + shift, low), high) by channel, the last dimension. NaN stays NaN.
struct ScaleShift {
  TensorView x, scale, shift, y;
  float low, high;
};
/// Requires: all are contiguous; scale and shift are float32, as many as channels and at least one; x and y
/// are both float32 or both bfloat16, and may be one.
std::unique_ptr<Instruction> make_scale_shift(ScaleShift arguments);

}  // namespace belfry::internal
