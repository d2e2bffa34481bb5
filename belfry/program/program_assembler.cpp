#include "belfry/program/program_assembler.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/program/memory_plan.h"

namespace belfry::internal {

TensorView ProgramAssembler::make(Sizes sizes, ElementType type) {
  auto memory = std::make_shared<Memory>();
  const TensorView tensor(memory, type, std::move(sizes));
  memory->bytes = tensor.nbytes();
  made_.push_back(memory.get());
  lives_[memory.get()] = {.memory = memory, .first = now()};
  return tensor;
}

TensorView ProgramAssembler::make_feed(Sizes sizes, ElementType type) {
  program_->feeds_.push_back(make(std::move(sizes), type));
  lives_.at(made_.back()).external = true;
  return program_->feeds_.back();
}

TensorView ProgramAssembler::make_result(Sizes sizes, ElementType type) {
  const TensorView tensor = make(std::move(sizes), type);
  make_result_of(tensor);
  return tensor;
}

bool ProgramAssembler::make_result_of(const TensorView& tensor) {
  const auto life = lives_.find(tensor.memory().get());
  if (life == lives_.end() || life->second.external || !tensor.is_contiguous() || tensor.offset() != 0 ||
      tensor.nbytes() != tensor.memory()->bytes)
    return false;
  life->second.external = true;
  program_->results_.push_back(tensor);
  return true;
}

bool ProgramAssembler::is_external(const TensorView& tensor) const {
  const auto life = lives_.find(tensor.memory().get());
  return life != lives_.end() && life->second.external;
}

void ProgramAssembler::keep(const TensorView& tensor) {
  if (const auto life = lives_.find(tensor.memory().get()); life != lives_.end()) life->second.kept = true;
}

void ProgramAssembler::emit(std::string name, std::unique_ptr<Instruction> instruction,
                            const std::vector<TensorView>& reads, const std::vector<TensorView>& writes) {
  for (const TensorView& tensor : writes) {
    const auto life = lives_.find(tensor.memory().get());
    if (life != lives_.end() && life->second.writer < 0) life->second.writer = now();
  }
  for (const auto* tensors : {&reads, &writes}) {
    for (const TensorView& tensor : *tensors) {
      if (const auto life = lives_.find(tensor.memory().get()); life != lives_.end())
        life->second.last = now();
    }
  }
  program_->steps_.push_back({std::move(instruction), std::move(name), writes});
}

std::unique_ptr<Program> ProgramAssembler::finish(const Options& options) {
  if (options.watch_numbers) watch();
  plan(options);
  return std::move(program_);
}

/// Instructions that may hide NaN are watched in stretches as long as can be, since all threads are asked at
/// both ends.
void ProgramAssembler::watch() {
  ProgramStep* last = nullptr;  // of the stretch
  for (ProgramStep& step : program_->steps_) {
    if (step.instruction->is_often_invalid()) {
      if (last) last->watched_until = true;
      last = nullptr;
    } else if (step.instruction->may_hide_nan()) {
      if (!last) step.watched_from = true;
      last = &step;
    }
  }
  if (last) last->watched_until = true;
}

/// "'conv0/output' (1024 bytes), ...": what takes most, by what writes it first.
std::string ProgramAssembler::list_largest() const {
  constexpr size_t kListed = 5;
  std::vector<const Life*> lives;
  for (const Memory* made : made_) {
    if (!lives_.at(made).external) lives.push_back(&lives_.at(made));
  }
  std::ranges::stable_sort(lives, std::greater(), [](const Life* life) { return life->memory->bytes; });
  std::string text;
  lives.resize(std::min(lives.size(), kListed));
  for (const Life* life : lives) {
    const std::string name =
        life->writer < 0 ? "nothing" : program_->steps_[static_cast<size_t>(life->writer)].name;
    text += fmt::format("{}'{}' ({} bytes)", text.empty() ? "" : ", ", name, life->memory->bytes);
  }
  return text;
}

/// Where memory is not shared, all of it lives as long as the program.
void ProgramAssembler::plan(const Options& options) {
  std::vector<MemoryUse> uses;
  for (const Memory* made : made_) {
    const Life& life = lives_.at(made);
    if (life.external) continue;
    program_->values_.push_back({life.memory, 0});
    const int64_t bytes = life.memory->bytes;
    const int64_t last = life.kept ? now() : life.last;
    uses.push_back(options.share_memory ? MemoryUse{.bytes = bytes, .first = life.first, .last = last}
                                        : MemoryUse{.bytes = bytes, .first = 0, .last = now()});
    program_->total_bytes_ += bytes;
  }
  const MemoryPlan plan = plan_memory(uses);
  for (size_t i = 0; i < uses.size(); ++i) program_->values_[i].offset = plan.offsets[i];
  program_->planned_bytes_ = plan.bytes;
  program_->block_ = options.block ? options.block : std::make_shared<MemoryBlock>();
  if (!program_->block_->at_least(plan.bytes)) {
    throw OutOfMemoryError(
        fmt::format("[compile] expected {} bytes of memory, got none; the largest values are those of {}",
                    plan.bytes, list_largest()));
  }
  program_->place();
}

}  // namespace belfry::internal
