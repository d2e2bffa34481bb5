#pragma once

#include <cstdint>

#include "belfry/program/function_ref.h"

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

/// Calls body(0), …, body(count - 1), spread over OpenMP's threads. Inside of `body` there is OneThread.
/// Rethrows the first exception. Serial inside of another such region.
void in_parallel(int64_t count, FunctionRef<void(int64_t)> body);

/// Calls body() on each of these threads; inside of such a region on the calling one alone.
void on_each_thread(FunctionRef<void()> body);

}  // namespace belfry::internal
