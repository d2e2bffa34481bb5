#pragma once

#include <string>

namespace belfry {

/// Rethrows the exception being handled with `context` before its message ("context: message"). Its kind
/// stays: a DataError remains a DataError, and so on; std::bad_alloc becomes an OutOfMemoryError, a
/// std::system_error (no more threads) a ResourceError, and any other std::exception, and what is no
/// exception at all, an Error. The original is nested in the new one (std::rethrow_if_nested). Requires:
/// called inside a catch block.
[[noreturn]] void rethrow_with_context(const std::string& context);

}  // namespace belfry
