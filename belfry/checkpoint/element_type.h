#pragma once

#include "belfry/formats/dtype.h"
#include "belfry/graph/types.h"

namespace belfry {

/// LibTorch's type of a stored one; Undefined where it has none that Belfry's graphs know.
DType to_dtype(DataType stored);

/// The stored type of a LibTorch one. Throws UsageError, with `who`, where files have none.
DataType to_stored(DType dtype, const std::string& who);

}  // namespace belfry
