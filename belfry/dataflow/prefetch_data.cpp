#include "belfry/dataflow/prefetch_data.h"

#include <fmt/format.h>

#include <thread>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"

namespace belfry {
namespace {

class Prefetcher {
 public:
  Prefetcher(DataIterator source, size_t buffer_size) : queue_(buffer_size), source_(std::move(source)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Prefetcher() {
    queue_.cancel();
    thread_.join();
  }
  std::optional<Datapoint> next() { return queue_.pop(); }

 private:
  void run() {
    try {
      while (std::optional<Datapoint> datapoint = source_.next()) {
        if (!queue_.push(std::move(*datapoint))) return;
      }
      queue_.close();
    } catch (...) {
      queue_.close(std::current_exception());
    }
  }

  BoundedQueue<Datapoint> queue_;
  DataIterator source_;
  std::thread thread_;
};

struct PrefetchPass {
  std::optional<Datapoint> next() {
    if (!prefetcher) prefetcher = std::make_unique<Prefetcher>(std::move(source), buffer_size);
    return prefetcher->next();
  }
  int64_t skip(int64_t count) {
    if (!prefetcher) return source.skip(count);
    int64_t skipped = 0;
    while (skipped < count && prefetcher->next()) ++skipped;
    return skipped;
  }

  DataIterator source;
  size_t buffer_size;
  std::unique_ptr<Prefetcher> prefetcher = {};
};

}  // namespace

PrefetchData::PrefetchData(AnyDataFlow source, int64_t buffer_size)
    : ProxyDataFlow(std::move(source)), buffer_size_(buffer_size) {
  if (buffer_size_ <= 0)
    throw UsageError(fmt::format("[PrefetchData] expected buffer_size > 0, got {}", buffer_size_));
}

DataIterator PrefetchData::start_pass(int64_t pass) {
  return DataIterator(PrefetchPass{source_->start_pass(pass), static_cast<size_t>(buffer_size_)});
}

}  // namespace belfry
