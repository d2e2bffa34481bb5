#include "belfry/program/invalid_operation.h"

#include <atomic>
#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

#include "belfry/program/in_parallel.h"

namespace belfry::internal {
namespace {

#if defined(__x86_64__)
// The note of the vector unit alone, without the slow one of the x87.
void forget() {
  _mm_setcsr(_mm_getcsr() & ~static_cast<unsigned>(_MM_EXCEPT_INVALID));
}
bool is_noted() {
  return (_mm_getcsr() & _MM_EXCEPT_INVALID) != 0;
}
#else
void forget() {
  std::feclearexcept(FE_INVALID);
}
bool is_noted() {
  return std::fetestexcept(FE_INVALID) != 0;
}
#endif

}  // namespace

void forget_invalid_operations() {
  on_each_thread([] { forget(); });
}

bool any_invalid_operation() {
  std::atomic<bool> any{false};
  on_each_thread([&] {
    if (is_noted()) any.store(true, std::memory_order_relaxed);
  });
  return any;
}

}  // namespace belfry::internal
