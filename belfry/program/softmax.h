#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// y = softmax(scale x + mask) of rows [..., n], dense float32.
struct Softmax {
  float scale = 1;
  /// Row i of each matrix has only its first i + 1 elements; the others become 0.
  bool is_causal = false;
  /// Whether a row of -infinity alone gives zeros instead of NaN.
  bool is_safe = false;
};

/// `mask` is none, or has the sizes of `x`, a stride of 1 in the last dimension, and any strides before:
/// float32 is added, of bool what is false is left out. `y` may lie where `x` does.
std::unique_ptr<Instruction> make_softmax(const Softmax& softmax, TensorView x, TensorView mask,
                                          TensorView y);

/// The cross entropy of softmax(logits) of rows [..., n] with labels [...], int32 or int64:
/// log(sum(exp(row))) - row[label]. DataError from `name` where a label is below 0 or not below n.
std::unique_ptr<Instruction> make_softmax_cross_entropy(const std::string& name, TensorView logits,
                                                        TensorView labels, TensorView loss);
/// Its gradient by the logits, of a gradient by each row's loss; `by_logits` may lie where `logits` does. The
/// labels are those that the loss has checked.
std::unique_ptr<Instruction> make_softmax_cross_entropy_backward(TensorView gradient, TensorView logits,
                                                                 TensorView labels, TensorView by_logits);

/// The gradient by x: scale (dy - sum(dy y)) y. `dx` may lie where `dy` does.
std::unique_ptr<Instruction> make_softmax_backward(float scale, TensorView dy, TensorView y, TensorView dx);

}  // namespace belfry::internal
