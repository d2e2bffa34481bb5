#include "belfry/program/in_parallel.h"

#include <exception>
#include <mutex>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace belfry::internal {

#ifdef _OPENMP
int thread_count() {
  return omp_get_max_threads();
}

Threads::Threads(int count) : before_(omp_get_max_threads()) {
  omp_set_num_threads(count);  // of this thread alone
}
Threads::~Threads() {
  omp_set_num_threads(before_);
}

void in_parallel(int64_t count, FunctionRef<void(int64_t)> body) {
  if (count <= 1 || omp_in_parallel() || omp_get_max_threads() <= 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::exception_ptr error;
  std::mutex mutex;
#pragma omp parallel
  {
    const Threads alone(1);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < count; ++i) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

void on_each_thread(FunctionRef<void()> body) {
  if (omp_in_parallel() || omp_get_max_threads() <= 1) return body();
#pragma omp parallel
  body();
}
#else
void on_each_thread(FunctionRef<void()> body) {
  body();
}
int thread_count() {
  return 1;
}
Threads::Threads(int) : before_(1) {}
Threads::~Threads() {
  static_cast<void>(before_);  // clang warns of a member that nothing uses
}

void in_parallel(int64_t count, FunctionRef<void(int64_t)> body) {
  for (int64_t i = 0; i < count; ++i) body(i);
}
#endif

}  // namespace belfry::internal
