#include "belfry/graph/kernel_error.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "belfry/base/error.h"

namespace belfry {
namespace {

/// LibTorch throws most errors as c10::Error, so that only the text tells what they are.
template <size_t count>
bool has_one_of(std::string_view text, const std::array<std::string_view, count>& marks) {
  return std::ranges::any_of(
      marks, [&](std::string_view mark) { return text.find(mark) != std::string_view::npos; });
}
constexpr std::array<std::string_view, 1> kInternalMarks = {"INTERNAL ASSERT FAILED"};
constexpr std::array<std::string_view, 3> kMemoryMarks = {"can't allocate memory", "not enough memory",
                                                          "out of memory"};
constexpr std::array<std::string_view, 5> kDeviceMarks = {"CUDA error", "CUDA driver error", "cuDNN error",
                                                          "CUDNN_STATUS", "CUBLAS_STATUS"};

/// A number among the arguments that the dtype has not; no c10::Error.
constexpr std::array<std::string_view, 1> kNumberMarks = {"without overflow"};

std::string message_of(const KernelCall& call, std::string_view what) {
  return fmt::format("{}{}{}", call.who.empty() ? "" : fmt::format("[{}] ", call.who), what,
                     call.inputs.empty() ? "" : fmt::format(" (inputs: {})", call.inputs));
}

template <typename Kind>
bool is(const c10::Error& e) {
  return dynamic_cast<const Kind*>(&e) != nullptr;
}

[[noreturn]] void rethrow(const c10::Error& e, const KernelCall& call) {
  const std::string what = e.what_without_backtrace();
  const std::string message = message_of(call, what);
  if (has_one_of(what, kInternalMarks)) throw InternalError(message);
  if (is<c10::OutOfMemoryError>(e) || has_one_of(what, kMemoryMarks)) throw OutOfMemoryError(message);
  if (is<c10::AcceleratorError>(e) || is<c10::DistError>(e) || has_one_of(what, kDeviceMarks))
    throw ResourceError(message);
  if (is<c10::NotImplementedError>(e) || is<c10::ValueError>(e) || is<c10::TypeError>(e))
    throw UsageError(message);
  if (call.values_to_blame && call.values_to_blame()) throw DataError(message);
  throw UsageError(message);
}

}  // namespace

void rethrow_kernel_error(const KernelCall& call) {
  try {
    throw;
  } catch (const c10::Error& e) {
    rethrow(e, call);
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(message_of(call, "expected memory, got none from the system"));
  } catch (const std::system_error& e) {
    throw ResourceError(message_of(call, e.what()));
  } catch (const std::exception& e) {
    if (has_one_of(e.what(), kNumberMarks)) throw UsageError(message_of(call, e.what()));
    std::throw_with_nested(Error(message_of(call, e.what())));
  } catch (...) {
    std::throw_with_nested(Error(message_of(call, "an exception of unknown type")));
  }
}

}  // namespace belfry
