#pragma once

#include <c10/core/Scalar.h>

#include "belfry/graph/attribute.h"

namespace belfry::internal {

inline Attribute attribute_of(const c10::Scalar& value) {
  if (value.isFloatingPoint()) return value.toDouble();
  if (value.isBoolean()) return value.toBool();
  return value.toLong();
}

}  // namespace belfry::internal
