#include "belfry/inference/internal/program_pool.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "belfry/graph/below_autograd.h"
#include "belfry/inference/internal/known_sizes.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/in_parallel.h"

namespace belfry::internal {

ProgramPool::ProgramPool(const Function& graph, const CompileOptions& options)
    : graph_(graph), options_(options) {
  for (const Tensor& feed : graph.inputs) is_batch_.push_back(feed.rank() > 0 && feed.shape()[0] == kDynamic);
}

std::unique_ptr<Program> ProgramPool::take(const std::vector<at::Tensor>& feeds, const Part& part,
                                           const std::shared_ptr<Prepared>& prepared) {
  if (auto program = take_idle(feeds, part)) return program;
  return make(feeds, part, prepared);
}

std::unique_ptr<Program> ProgramPool::take_idle(const std::vector<at::Tensor>& feeds, const Part& part) {
  std::lock_guard lock(mutex_);
  const auto entry = find(feeds, part);
  if (entry == programs_.end() || entry->idle.empty()) return nullptr;
  programs_.splice(programs_.begin(), programs_, entry);
  auto program = std::move(entry->idle.back());
  entry->idle.pop_back();
  return program;
}

void ProgramPool::give_back(std::unique_ptr<Program> program, const std::vector<at::Tensor>& feeds,
                            const Part& part) {
  std::lock_guard lock(mutex_);
  entry_of(feeds, part).idle.push_back(std::move(program));
}

void ProgramPool::make_at_least(int64_t count, const std::vector<at::Tensor>& feeds, const Part& part,
                                const std::shared_ptr<Prepared>& prepared) {
  const Threads alone(1);
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (entry_of(feeds, part).made >= count) return;
    }
    give_back(make(feeds, part, prepared), feeds, part);
  }
}

std::unique_ptr<Program> ProgramPool::make(const std::vector<at::Tensor>& feeds, const Part& part,
                                           const std::shared_ptr<Prepared>& prepared) {
  const c10::InferenceMode normal_tensors(false);
  const BelowAutograd no_autograd;
  std::lock_guard making(making_mutex_);
  const Function shaped = with_known_sizes(graph_, shapes_of(feeds, part));
  auto program = ProgramBuilder(shaped, *prepared, options_).build();
  newest_ = program->describe();
  std::lock_guard lock(mutex_);
  ++entry_of(feeds, part).made;
  return program;
}

std::optional<int64_t> ProgramPool::batch_of(const std::vector<at::Tensor>& feeds) const {
  std::optional<int64_t> batch;
  for (size_t i = 0; i < feeds.size(); ++i) {
    if (!is_batch_[i]) continue;
    if (batch && *batch != feeds[i].size(0)) return std::nullopt;
    batch = feeds[i].size(0);
  }
  return batch;
}

std::string ProgramPool::describe_newest() const {
  std::lock_guard lock(making_mutex_);
  return newest_;
}

int64_t ProgramPool::size(const std::vector<at::Tensor>& feeds, size_t feed, size_t axis,
                          const Part& part) const {
  return axis == 0 && part.count >= 0 && is_batch_[feed] ? part.count
                                                         : feeds[feed].size(static_cast<int64_t>(axis));
}

std::vector<Shape> ProgramPool::shapes_of(const std::vector<at::Tensor>& feeds, const Part& part) const {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < feeds.size(); ++i) {
    shapes.emplace_back();
    for (size_t axis = 0; axis < static_cast<size_t>(feeds[i].dim()); ++axis)
      shapes.back().push_back(size(feeds, i, axis, part));
  }
  return shapes;
}

// Allocates nothing, as it is part of every call.
std::list<ProgramPool::Shaped>::iterator ProgramPool::find(const std::vector<at::Tensor>& feeds,
                                                           const Part& part) {
  return std::find_if(programs_.begin(), programs_.end(), [&](const Shaped& entry) {
    if (entry.threads != thread_count()) return false;
    for (size_t i = 0; i < feeds.size(); ++i) {
      if (entry.shapes[i].size() != static_cast<size_t>(feeds[i].dim())) return false;
      for (size_t axis = 0; axis < entry.shapes[i].size(); ++axis) {
        if (entry.shapes[i][axis] != size(feeds, i, axis, part)) return false;
      }
    }
    return true;
  });
}

ProgramPool::Shaped& ProgramPool::entry_of(const std::vector<at::Tensor>& feeds, const Part& part) {
  if (const auto entry = find(feeds, part); entry != programs_.end()) return *entry;
  programs_.emplace_front();
  programs_.front().shapes = shapes_of(feeds, part);
  programs_.front().threads = thread_count();
  if (static_cast<int64_t>(programs_.size()) > std::max<int64_t>(options_.max_shapes, 1))
    programs_.pop_back();
  return programs_.front();
}

}  // namespace belfry::internal
