#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <vector>

#include "tests/support/close.h"
#include "tests/support/op_cases.h"

namespace belfry::test {

/// A way to fill the inputs of an operator with other than ordinary numbers.
struct ValueKind {
  const char* name;
  /// Of ordinary numbers of floating point; null for those themselves.
  std::function<at::Tensor(const at::Tensor& ordinary)> change = nullptr;
  /// What each dynamic dimension is; as the case says where it has none.
  std::optional<int64_t> size = std::nullopt;
  /// Sums overflow on the way or not, as their order wants it: infinities and NaN are then one.
  bool overflows = false;
};
/// NaN, infinities, zeros of both signs, denormal and largest numbers, sizes of 0 and 1.
const std::vector<ValueKind>& value_kinds();

/// The inputs of a case, those of floating point in float32.
std::vector<at::Tensor> inputs_of(const OpCase& op, const ValueKind& kind);

/// As close(), but NaN is at the same places, and so are infinities.
testing::AssertionResult same(const at::Tensor& actual, const at::Tensor& expected, const ValueKind& kind,
                              Tolerance tolerance);

}  // namespace belfry::test
