#pragma once

#include <cstdint>
#include <memory>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// Functions of one tensor, and gradients by the argument of activations.
enum class ElementFunction {
  kAbs,
  kExp,
  kNegative,
  kReciprocal,
  kSquare,
  kReluBackward,     ///< of a gradient and y
  kSigmoidBackward,  ///< of a gradient and y
  kTanhBackward,     ///< of a gradient and y
  kGeluBackward,     ///< of a gradient and x
  kSiluBackward,     ///< of a gradient and x
};

/// y = f(a), or f(a, b) of a gradient a. Requires: all are float32, dense and of one size; y may be a or b.
std::unique_ptr<Instruction> make_element_function(ElementFunction function, const TensorView& a,
                                                   const TensorView& b, const TensorView& y);

/// y = x, of which one is float32 and the other bfloat16, dense and of one size.
std::unique_ptr<Instruction> make_conversion(const TensorView& x, const TensorView& y);

}  // namespace belfry::internal
