#pragma once

#include "belfry/program/tensor_view.h"

namespace belfry::internal {

enum class NotFinite { kNone, kInfinity, kNaN };

/// The worst that is among its numbers. Only float32 and float64 are looked at; others have none.
NotFinite find_not_finite(const TensorView& tensor);

}  // namespace belfry::internal
