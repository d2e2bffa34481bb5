#pragma once

#include <cstdint>

#include "belfry/program/function_ref.h"

namespace belfry::internal {

/// How many threads share the calling thread's work.
int thread_count();

/// While it lives, that many threads share the calling thread's work, and primitives that it makes are made
/// for as many.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// Calls body(0), …, body(count - 1), spread over OpenMP's threads. Inside of `body` each works alone.
/// Rethrows the first exception. Serial inside of another such region.
void in_parallel(int64_t count, FunctionRef<void(int64_t)> body);

/// Calls body() on each of these threads; inside of such a region on the calling one alone.
void on_each_thread(FunctionRef<void()> body);

}  // namespace belfry::internal
