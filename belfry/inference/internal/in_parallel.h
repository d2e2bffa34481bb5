#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace belfry::internal {

/// While it lives, the calling thread works alone, and primitives that it makes are made for one thread.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_;
};

/// Calls body(0), …, body(count - 1), spread over LibTorch's threads. Inside of `body` there is OneThread.
/// Rethrows the first exception. Serial inside of another such region.
void in_parallel(int64_t count, c10::function_ref<void(int64_t)> body);

/// Calls body() on each of these threads; inside of such a region on the calling one alone.
void on_each_thread(c10::function_ref<void()> body);

}  // namespace belfry::internal
