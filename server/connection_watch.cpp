#include "connection_watch.h"

#include <algorithm>
#include <utility>

namespace kserve {

ConnectionWatch::ConnectionWatch(const Limits& limits, std::function<void(int)> close)
    : limits_(limits), close_(std::move(close)), thread_([this] { watch(); }) {}

ConnectionWatch::~ConnectionWatch() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ConnectionWatch::open(int connection) {
  {
    std::lock_guard lock(mutex_);
    connections_[connection] = {State::kReceiving, Clock::now()};
  }
  changed_.notify_all();
}

void ConnectionWatch::remove(int connection) {
  std::lock_guard lock(mutex_);
  connections_.erase(connection);
}

// No deadline comes nearer by this, so the thread need not wake: it looks again when the old one is over.
void ConnectionWatch::set(int connection, State state) {
  std::lock_guard lock(mutex_);
  const auto found = connections_.find(connection);
  if (found == connections_.end() || found->second.state == State::kClosing) return;
  found->second = {state, Clock::now()};
}

void ConnectionWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    const Clock::time_point next = sweep(Clock::now());
    changed_.wait_until(lock, next);
  }
}

ConnectionWatch::Clock::time_point ConnectionWatch::sweep(Clock::time_point now) {
  // What waits for a client, the longest wait first.
  std::vector<std::pair<Clock::time_point, int>> waiting;
  size_t open = 0;
  for (const auto& [number, connection] : connections_) {
    if (connection.state != State::kClosing) ++open;
    if (connection.state == State::kReceiving || connection.state == State::kSending)
      waiting.emplace_back(connection.since, number);
  }
  std::ranges::sort(waiting);

  // A connection that begins to wait later is not overdue before this.
  Clock::time_point next = now + limits_.request_time;
  for (const auto& [since, number] : waiting) {
    Connection& connection = connections_[number];
    Clock::time_point end = since + limits_.request_time;
    if (open > limits_.connections && connection.state == State::kReceiving)
      end = std::min(end, since + limits_.grace);
    if (end > now) {
      next = std::min(next, end);
      continue;
    }
    connection.state = State::kClosing;
    close_(number);
    --open;
  }
  // Those that are busy now may wait for a client soon.
  if (open > limits_.connections) next = std::min(next, now + limits_.grace);
  return next;
}

}  // namespace kserve
