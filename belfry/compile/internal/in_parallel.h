#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace belfry {

/// Calls body(0), …, body(count - 1), spread over LibTorch's threads. What runs inside of `body` has one
/// thread. Rethrows the first exception. Serial inside of another such region.
void in_parallel(int64_t count, c10::function_ref<void(int64_t)> body);

}  // namespace belfry
