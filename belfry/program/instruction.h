#pragma once

#include <string>

namespace belfry::internal {

/// A piece of work on tensors of fixed places, but those of the caller's, which are others with each run.
class Instruction {
 public:
  virtual ~Instruction() = default;
  /// Allocates nothing but what a kernel takes for itself.
  virtual void run() = 0;
  /// Whether NaN may become an ordinary number in it. The processor notes that (invalid_operation.h).
  virtual bool may_hide_nan() const { return false; }
  /// Whether the processor's note says nothing of it: ATen's operators convert what is out of range, for one,
  /// on the way to right results.
  virtual bool is_often_invalid() const { return false; }
  /// What does the work: "brgconv:avx512_core".
  virtual std::string describe() const = 0;
};

}  // namespace belfry::internal
