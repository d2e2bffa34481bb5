#include "belfry/program/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <dnnl.hpp>
#include <new>

#include "belfry/base/error.h"
#include "belfry/program/adapt_to_load.h"
#include "belfry/program/invalid_operation.h"

namespace belfry::internal {

void ProgramStep::run() const {
  try {
    instruction->run();
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) throw OutOfMemoryError(fmt::format("[{}] {}", name, e.what()));
    throw InternalError(fmt::format("[{}] {} of {} (oneDNN's status {})", name, e.what(),
                                    instruction->describe(), static_cast<int>(e.status)));
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(fmt::format("[{}] expected memory, got none from the system", name));
  }
}

void Program::place() {
  void* start = block_->at_least(planned_bytes_);
  if (!start) {
    throw OutOfMemoryError(
        fmt::format("[compile] expected {} bytes of memory, got none from the system", planned_bytes_));
  }
  if (start == placed_) return;
  for (const Placed& value : values_) value.memory->data = static_cast<char*>(start) + value.offset;
  placed_ = start;
}

template <typename RunStep>
bool Program::run_steps(RunStep run_step) {
  place();
  adapt_to_load();
  bool invalid = false;
  for (const ProgramStep& step : steps_) {
    if (step.watched_from) forget_invalid_operations();
    run_step(step);
    if (step.watched_until) invalid = any_invalid_operation() || invalid;
  }
  return !invalid;
}

bool Program::run() {
  return run_steps([](const ProgramStep& step) { step.run(); });
}

bool Program::profile(std::vector<double>& seconds) {
  using Clock = std::chrono::steady_clock;
  return run_steps([&](const ProgramStep& step) {
    const auto start = Clock::now();
    step.run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  });
}

std::optional<Program::Origin> Program::find_origin_of_not_finite() {
  std::optional<Origin> origin;
  for (size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].run();
    if (origin && origin->what == NotFinite::kNaN)
      continue;  // what follows leaves the results in their places
    for (const TensorView& written : steps_[i].writes) {
      const NotFinite what = find_not_finite(written);
      if (what > (origin ? origin->what : NotFinite::kNone)) origin = Origin{i, what};
    }
  }
  return origin;
}

std::string Program::describe() const {
  size_t width = 40;
  for (const ProgramStep& step : steps_) width = std::max(width, step.name.size());
  std::string text;
  for (const ProgramStep& step : steps_)
    text += fmt::format("  {:{}} {}\n", step.name, width, step.instruction->describe());
  return text + fmt::format("  memory: {} bytes for {} bytes of values\n", planned_bytes_, total_bytes_);
}

}  // namespace belfry::internal
