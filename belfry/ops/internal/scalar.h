#pragma once

#include <c10/core/Scalar.h>

#include <utility>

#include "belfry/graph/attribute.h"
#include "belfry/graph/types.h"

namespace belfry::internal {

inline Attribute attribute_of(const c10::Scalar& value) {
  if (value.isFloatingPoint()) return value.toDouble();
  if (value.isBoolean()) return value.toBool();
  return value.toLong();
}

/// Whether `dtype`, of integers, has the number.
inline bool has_integer(DType dtype, int64_t number) {
  switch (dtype) {
    case kUInt8:
      return std::in_range<uint8_t>(number);
    case kInt8:
      return std::in_range<int8_t>(number);
    case kInt16:
      return std::in_range<int16_t>(number);
    case kInt32:
      return std::in_range<int32_t>(number);
    default:
      return true;
  }
}

}  // namespace belfry::internal
