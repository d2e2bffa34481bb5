#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "belfry/program/program.h"

namespace belfry::internal {

/// Makes a program of instructions in their order. Tensors between them are made without memory; each gets a
/// place in one block at the end, for the time from the first instruction that writes it to the last that
/// reads it. Tensors on other memory, weights for instance, keep it.
class ProgramAssembler {
 public:
  struct Options {
    bool share_memory = true;    ///< values lie in one place when they are not needed at the same time
    bool watch_numbers = false;  ///< Program::run looks for what may have hidden a NaN
    /// What the values lie in; none: a block of its own.
    std::shared_ptr<MemoryBlock> block = {};
  };

  /// A dense tensor of its own memory, not yet written.
  TensorView make(Sizes sizes, ElementType type);
  // The same, on the caller's memory:
  TensorView make_feed(Sizes sizes, ElementType type);
  TensorView make_result(Sizes sizes, ElementType type);
  /// Makes a tensor the next result, so that what writes it writes to the caller's memory. False, and
  /// nothing is done, where it is not all of its memory, or that is the caller's already.
  bool make_result_of(const TensorView& tensor);

  /// What lies in that memory stays until the next run, for the caller to read.
  void keep(const TensorView& tensor);

  /// Whether it was made here: true for neither weights nor constants.
  bool is_made(const TensorView& tensor) const { return lives_.contains(tensor.memory().get()); }
  /// Whether the caller's memory is what it lies in.
  bool is_external(const TensorView& tensor) const;

  /// Appends an instruction, with what it reads, writes, and uses up.
  void emit(std::string name, std::unique_ptr<Instruction> instruction, const std::vector<TensorView>& reads,
            const std::vector<TensorView>& writes);

  /// Once, at the end. Throws OutOfMemoryError, which says how much is needed, and most of it for what.
  std::unique_ptr<Program> finish(const Options& options);

 private:
  /// Of memory: the first instruction that writes it and the last that reads it.
  struct Life {
    std::shared_ptr<Memory> memory;
    int64_t first = 0, last = -1;
    int64_t writer = -1;  ///< the instruction that writes it first
    bool external = false;
    bool kept = false;  ///< to the end
  };

  int64_t now() const { return static_cast<int64_t>(program_->steps_.size()); }
  void plan(const Options& options);
  void watch();
  std::string list_largest() const;

  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  std::vector<const Memory*> made_;  ///< in the order of their making
  std::unordered_map<const Memory*, Life> lives_;
};

}  // namespace belfry::internal
