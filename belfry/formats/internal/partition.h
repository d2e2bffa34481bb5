#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/internal/bundle_proto.h"

namespace belfry::internal {

/// Real partitions have at most some hundreds; comparing all pairs stays quick below this.
inline constexpr size_t kMaxSlices = 2000;

/// A part of an array: start and length along each dimension.
struct Box {
  std::vector<int64_t> start;
  std::vector<int64_t> length;
};

/// The part of an array of `shape` that `slice` means. Throws DataError when it is not inside.
Box resolve(const Slice& slice, const std::vector<int64_t>& shape);

/// Throws DataError unless `boxes` cover every element of `shape` exactly once. Requires: `shape` has an
/// element_count(); `boxes` come from resolve().
void check_partition(const std::vector<Box>& boxes, const std::vector<int64_t>& shape);

/// Writes `part`, the dense elements of `box`, to their places in `whole`, an array of `shape`.
void copy_into(MutableByteSpan whole, const std::vector<int64_t>& shape, size_t element_size, const Box& box,
               ByteSpan part);

}  // namespace belfry::internal
