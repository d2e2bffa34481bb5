#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/program/instruction.h"
#include "belfry/program/memory_block.h"
#include "belfry/program/not_finite.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// An instruction at its place in a program.
struct ProgramStep {
  std::unique_ptr<Instruction> instruction;
  std::string name;  ///< of what it computes: "conv0/output"
  std::vector<TensorView> writes;
  bool watched_from = false;   ///< what the processor noted before it does not count
  bool watched_until = false;  ///< what it notes after it does not
  void run() const;
};

/// A list of instructions on planned memory: a run looks nothing up, infers nothing, and allocates nothing
/// but what a kernel takes for itself. ProgramAssembler makes it. One thread at a time may run it, or another
/// program on the same block of memory; each further thread needs a program of its own. Programs share the
/// weights.
class Program {
 public:
  // Types and sizes of what it takes and gives:
  const std::vector<TensorView>& feeds() const { return feeds_; }
  const std::vector<TensorView>& results() const { return results_; }

  /// Where a feed, or a result, lies from now on: dense, of its type and sizes.
  void set_feed(size_t i, void* memory) { feeds_[i].memory()->data = memory; }
  void set_result(size_t i, void* memory) { results_[i].memory()->data = memory; }

  /// Reads the feeds and writes the results, which all have been set. False where a NaN may have been lost on
  /// the way: the results are to be computed otherwise.
  bool run();
  /// The same, looking at the clock after each step, whose seconds it appends.
  bool profile(std::vector<double>& seconds);
  /// Runs too, and looks at all that is written on the way, which takes long.
  struct Origin {
    size_t step = 0;
    NotFinite what = NotFinite::kNone;
  };
  /// The first step that wrote NaN; where none did, the first that wrote an infinity; nullopt where none did.
  std::optional<Origin> find_origin_of_not_finite();

  const std::vector<ProgramStep>& steps() const { return steps_; }
  /// One line for each step, and the memory.
  std::string describe() const;

 private:
  friend class ProgramAssembler;
  /// A value and its place in the block.
  struct Placed {
    std::shared_ptr<Memory> memory;
    int64_t offset;
  };

  template <typename RunStep>
  bool run_steps(RunStep run_step);
  /// Finds the values where the block is now.
  void place();

  std::vector<ProgramStep> steps_;
  std::vector<TensorView> feeds_, results_;
  std::shared_ptr<MemoryBlock> block_;  ///< the planned memory
  const void* placed_ = nullptr;        ///< where it was in the last run
  std::vector<Placed> values_;
  int64_t planned_bytes_ = 0, total_bytes_ = 0;
};

}  // namespace belfry::internal
