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

}  // namespace

PrefetchData::PrefetchData(AnyDataFlow source, int64_t buffer_size)
    : ProxyDataFlow(std::move(source)), buffer_size_(buffer_size) {
  if (buffer_size_ <= 0)
    throw UsageError(fmt::format("[PrefetchData] expected buffer_size > 0, got {}", buffer_size_));
}

DataIterator PrefetchData::iterator() {
  auto prefetcher = std::make_unique<Prefetcher>(source_->iterator(), static_cast<size_t>(buffer_size_));
  return DataIterator([prefetcher = std::move(prefetcher)] { return prefetcher->next(); });
}

}  // namespace belfry
