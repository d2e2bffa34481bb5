#pragma once

#include <functional>
#include <string>

namespace belfry {

/// The call of an operator's kernel during which something was thrown.
struct KernelCall {
  std::string who;     ///< "aten::matmul logits"; empty where the caller adds it
  std::string inputs;  ///< described; empty where they say nothing
  /// True where a refusal is due to the values of the inputs, as their shapes and dtypes fit; none: false.
  std::function<bool()> values_to_blame;
};

/// Rethrows the exception being handled as the Error whose kind says who is to blame:
/// - InternalError for an assertion of LibTorch's;
/// - OutOfMemoryError where there was no memory, of the machine or of a device;
/// - ResourceError for a device that fails, and what the system refuses (threads);
/// - UsageError for an operator or dtype that nobody implemented, and an argument that has no right value;
/// - DataError for a refusal that is due to values: a label beyond the classes, a division of integers by 0;
/// - UsageError for any other refusal: shapes or dtypes that do not go together.
/// An Error of Belfry's passes as it is; what is none of these, a user's own, becomes an Error in which it is
/// nested. Requires: called inside a catch block.
[[noreturn]] void rethrow_kernel_error(const KernelCall& call);

}  // namespace belfry
