#pragma once

#include "belfry/graph/attribute.h"
#include "belfry/graph/tensor.h"

namespace belfry::internal {

/// The dtype argument with which ATen's sums and products keep that of integers, as TensorFlow's do, rather
/// than give int64. Bools are counted in int64.
inline Attribute sum_dtype(const Tensor& x) {
  return c10::isIntegralType(x.dtype(), /*includeBool=*/false) ? Attribute(x.dtype()) : Attribute();
}

}  // namespace belfry::internal
