#include "belfry/predict/internal/batch_former.h"

#include <bit>
#include <iterator>
#include <utility>

namespace belfry::internal {

BatchFormer::Signature BatchFormer::signature(const Request& request) {
  Signature signature;
  for (const at::Tensor& input : request.inputs) {
    signature.push_back(static_cast<int64_t>(input.scalar_type()));
    signature.push_back(input.dim());
    signature.insert(signature.end(), input.sizes().begin() + 1, input.sizes().end());
  }
  return signature;
}

void BatchFormer::add(Request request) {
  Group& group = groups_[signature(request)];
  group.rows += request.rows;
  rows_ += request.rows;
  group.requests.push_back(std::move(request));
}

std::map<BatchFormer::Signature, BatchFormer::Group>::iterator BatchFormer::oldest_ready(
    Clock::time_point now, bool hurry) {
  auto best = groups_.end();
  for (auto it = groups_.begin(); it != groups_.end(); ++it) {
    const Clock::time_point arrived = it->second.requests.front().arrived;
    const bool ready = hurry || it->second.rows >= max_batch_ || now - arrived >= max_delay_;
    if (ready && (best == groups_.end() || arrived < best->second.requests.front().arrived)) best = it;
  }
  return best;
}

size_t BatchFormer::batch_end(const std::deque<Request>& requests) const {
  size_t end = 0, good_end = 0;
  for (int64_t rows = 0; end < requests.size(); ++end) {
    if (requests[end].cancel.stop_requested()) continue;
    rows += requests[end].rows;
    if (rows > max_batch_) break;
    if (rows == max_batch_ || std::has_single_bit(static_cast<uint64_t>(rows))) good_end = end + 1;
  }
  return few_sizes_ && good_end > 0 ? good_end : end;
}

std::optional<BatchFormer::Batch> BatchFormer::take(Clock::time_point now, bool hurry) {
  const auto it = oldest_ready(now, hurry);
  if (it == groups_.end()) return std::nullopt;
  Batch batch;
  Group& group = it->second;
  for (size_t left = batch_end(group.requests); left > 0; --left) {
    Request& next = group.requests.front();
    group.rows -= next.rows;
    rows_ -= next.rows;
    (next.cancel.stop_requested() ? batch.cancelled : batch.run).push_back(std::move(next));
    group.requests.pop_front();
  }
  if (group.requests.empty()) groups_.erase(it);
  return batch;
}

std::optional<Clock::time_point> BatchFormer::next_deadline() const {
  std::optional<Clock::time_point> deadline;
  for (const auto& [signature, group] : groups_) {
    const Clock::time_point end = group.requests.front().arrived + max_delay_;
    if (!deadline || end < *deadline) deadline = end;
  }
  return deadline;
}

std::vector<Request> BatchFormer::take_all() {
  std::vector<Request> all;
  for (auto& [signature, group] : groups_) {
    std::move(group.requests.begin(), group.requests.end(), std::back_inserter(all));
  }
  groups_.clear();
  rows_ = 0;
  return all;
}

}  // namespace belfry::internal
