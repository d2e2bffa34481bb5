#include "belfry/train/internal/lockstep.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/distributed/collectives.h"
#include "belfry/distributed/process_group.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/variable.h"

// Each process announces at the beginning of a step whether it can and wants to take the next one, while the
// step runs, and hears what the others said before it begins that: nobody waits for the answer, and all stop
// at the same place. Invariant: a process that has begun a step finishes it, as others may wait for its
// gradients.

namespace belfry::internal {
namespace {

constexpr int64_t kRanks = 1 << 20;  // more than there are: a wish is a reason and a rank

/// One line for what the processes must have alike, in the order of the graph.
std::vector<std::string> describe(const Graph& graph) {
  std::vector<std::string> lines;
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::kVariable) {
      lines.push_back(fmt::format("variable '{}' {} {}", node->name(), to_string(node->output().dtype()),
                                  to_string(node->output().shape())));
    } else if (is_collective(*node)) {
      lines.push_back(fmt::format("{} '{}' {} {}", node->op_name(), node->name(),
                                  to_string(node->output().dtype()), to_string(node->output().shape())));
    }
  }
  return lines;
}

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

void Lockstep::compare(const Graph& graph) const {
  const std::vector<std::string> lines = describe(graph);
  const std::string text = join(lines);
  const std::string hash = std::to_string(std::hash<std::string>()(text));
  const std::vector<std::string> hashes = process_group().all_gather(hash);
  if (std::ranges::all_of(hashes, [&](const std::string& other) { return other == hashes[0]; })) return;
  const std::vector<std::string> texts = process_group().all_gather(text);
  const std::vector<std::string> of_first = split(texts[0]);
  for (size_t other = 1; other < texts.size(); ++other) {
    const std::vector<std::string> of_other = split(texts[other]);
    for (size_t i = 0; i < std::max(of_first.size(), of_other.size()); ++i) {
      const std::string a = i < of_first.size() ? of_first[i] : "nothing more",
                        b = i < of_other.size() ? of_other[i] : "nothing more";
      if (a == b) continue;
      throw UsageError(fmt::format(
          "[DistributedTrainer] expected the same model in all processes, got {} in rank 0 and {} in "
          "rank {}",
          a, b, other));
    }
  }
}

void Lockstep::broadcast_variables(Session& session) const {
  int64_t bytes = 0;
  for (const auto& node : session.graph().nodes()) {
    if (node->kind() != NodeKind::kVariable) continue;
    const Variable variable = as_variable(node->output());
    const at::Tensor value = session.value(variable);
    bytes += static_cast<int64_t>(value.nbytes());
    if (value.numel() == 0) continue;
    const at::Tensor flat = value.contiguous().view({-1});
    const at::Tensor given = process_group().broadcast(flat.view(at::kByte));
    if (rank() != 0) session.set_value(variable, given.view(value.scalar_type()).view(value.sizes()));
  }
  log_debug("[DistributedTrainer] {} bytes of variables have the values of rank 0", bytes);
}

void Lockstep::agree_on(LoopOptions& options) const {
  ProcessGroup& group = process_group();
  const int64_t steps = options.steps_per_epoch;
  at::Tensor numbers = at::full({4}, options.starting_epoch, at::kLong);
  numbers[1] = options.max_epoch;
  numbers[2] = options.starting_step;
  numbers = group.broadcast(numbers);
  const int64_t most = group.all_reduce(at::full({1}, steps, at::kLong), ReduceOp::kMax).item<int64_t>();
  if (most != steps)
    log_info("[DistributedTrainer] steps_per_epoch is {}, the most that a rank has; here it was {}.", most,
             steps);
  options = {.steps_per_epoch = most,
             .starting_epoch = numbers[0].item<int64_t>(),
             .max_epoch = numbers[1].item<int64_t>(),
             .starting_step = numbers[2].item<int64_t>()};
}

Lockstep::Batch Lockstep::next(const Take& take, const Progress& progress, bool stop_requested) {
  if (!std::exchange(has_begun_, true)) {
    take_ahead(take, progress);
    announce(stop_requested);
  }
  hear();
  Batch batch = std::move(*ahead_);
  progress_ = progress_ahead_;
  take_ahead(take, progress);
  announce(stop_requested);
  return batch;
}

void Lockstep::take_ahead(const Take& take, const Progress& progress) {
  ahead_.reset();
  try {
    ahead_ = take();
    progress_ahead_ = progress();
  } catch (const StopTraining& stop) {
    hold_back(stop);
  }
}

void Lockstep::announce(bool stop_requested) {
  EndReason reason = EndReason::kNone;
  if (stop_requested) reason = EndReason::kStopRequested;
  if (held_) reason = held_->reason();
  const int64_t wish = reason == EndReason::kNone ? 0 : static_cast<int64_t>(reason) * kRanks + rank();
  wish_ = at::full({1}, wish, at::kLong);
  wait_ = process_group().start_all_reduce(wish_, ReduceOp::kMax);
}

void Lockstep::hear() {
  finish();
  const int64_t wish = wish_.item<int64_t>();
  if (wish == 0) return;
  const auto reason = static_cast<EndReason>(wish / kRanks);
  const int64_t who = wish % kRanks;
  const std::string message = held_ && who == rank() ? held_->what() : to_string(reason);
  throw StopTraining(fmt::format("rank {}: {}", who, message), reason);
}

void Lockstep::finish() {
  if (wait_) std::exchange(wait_, nullptr)();
}

bool Lockstep::all(bool here) const {
  return process_group().all_reduce(at::full({1}, here ? 1 : 0, at::kLong), ReduceOp::kMin).item<int64_t>() ==
         1;
}

}  // namespace belfry::internal
