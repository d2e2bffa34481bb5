#include "belfry/program/in_parallel.h"

#include <exception>
#include <mutex>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace belfry::internal {

#ifdef _OPENMP
OneThread::OneThread() : threads_(omp_get_max_threads()) {
  omp_set_num_threads(1);  // of this thread alone
}
OneThread::~OneThread() {
  omp_set_num_threads(threads_);
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
    const OneThread alone;
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
OneThread::OneThread() : threads_(1) {}
OneThread::~OneThread() {
  static_cast<void>(threads_);  // clang warns of a member that nothing uses
}

void in_parallel(int64_t count, FunctionRef<void(int64_t)> body) {
  for (int64_t i = 0; i < count; ++i) body(i);
}
#endif

}  // namespace belfry::internal
