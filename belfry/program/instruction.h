#pragma once

#include <memory>
#include <string>
#include <utility>

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

/// An instruction that does what `run()` does, a kernel of our own that NaN comes out of as it should.
template <typename Run>
std::unique_ptr<Instruction> make_instruction(std::string description, Run run) {
  class Kernel : public Instruction {
   public:
    Kernel(std::string its_description, Run its_run)
        : description_(std::move(its_description)), run_(std::move(its_run)) {}
    void run() override { run_(); }
    std::string describe() const override { return description_; }

   private:
    std::string description_;
    Run run_;
  };
  return std::make_unique<Kernel>(std::move(description), std::move(run));
}

}  // namespace belfry::internal
