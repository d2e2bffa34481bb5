#include "tests/support/thread_limit.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>

namespace belfry::test {
namespace {

constexpr int kNoLimit = -1;
std::atomic<int> threads_left{kNoLimit}, threads_refused{0};

[[maybe_unused]] bool may_start() {
  int left = threads_left;
  while (left > 0 && !threads_left.compare_exchange_weak(left, left - 1)) {
  }
  if (left == 0) ++threads_refused;
  return left != 0;
}

}  // namespace

ThreadLimit::ThreadLimit(int count) {
  threads_refused = 0;
  threads_left = count;
}
ThreadLimit::~ThreadLimit() {
  threads_left = kNoLimit;
}
int ThreadLimit::refused() const {
  return threads_refused;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
bool ThreadLimit::works() {
  return false;
}
#else
bool ThreadLimit::works() {
  return true;
}

// A program's functions come before those of the libraries that it loads.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  if (!may_start()) return EAGAIN;
  static const auto start =
      reinterpret_cast<decltype(&::pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  return start(thread, attributes, run, argument);
}
#endif

}  // namespace belfry::test
