#pragma once

#include <memory>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide };

/// y = a op b. Requires: all are float32 and contiguous; a and b have the elements of y, or one; y may be one
/// of those that have all.
std::unique_ptr<Instruction> make_arithmetic(Arithmetic op, TensorView a, TensorView b, TensorView y);

}  // namespace belfry::internal
