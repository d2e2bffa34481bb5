#include "belfry/formats/internal/partition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "belfry/base/error.h"
#include "belfry/formats/array_info.h"

namespace belfry::internal {
namespace {

bool overlap(const Box& a, const Box& b) {
  for (size_t d = 0; d < a.start.size(); ++d) {
    if (a.start[d] >= b.start[d] + b.length[d] || b.start[d] >= a.start[d] + a.length[d]) return false;
  }
  return true;
}

std::string to_string(const Box& box) {
  return fmt::format("slice from [{}] of size [{}]", fmt::join(box.start, ", "), fmt::join(box.length, ", "));
}

}  // namespace

Box resolve(const Slice& slice, const std::vector<int64_t>& shape) {
  if (slice.size() != shape.size()) {
    throw DataError(
        fmt::format("expected slices of rank {}, got one of rank {}", shape.size(), slice.size()));
  }
  Box box;
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t start = slice[d].length ? slice[d].start : 0, length = slice[d].length.value_or(shape[d]);
    if (start < 0 || length < 0 || start > shape[d] || length > shape[d] - start) {
      throw DataError(fmt::format("slice from {} of size {} is outside dimension {} of [{}]", start, length,
                                  d, fmt::join(shape, ", ")));
    }
    box.start.push_back(start);
    box.length.push_back(length);
  }
  return box;
}

void check_partition(const std::vector<Box>& boxes, const std::vector<int64_t>& shape) {
  if (boxes.size() > kMaxSlices) {
    throw DataError(fmt::format("expected at most {} slices, got {}", kMaxSlices, boxes.size()));
  }
  uint64_t covered = 0, all = element_count(shape).value();
  for (size_t i = 0; i < boxes.size(); ++i) {
    uint64_t volume = element_count(boxes[i].length).value();
    for (size_t j = 0; volume > 0 && j < i; ++j) {
      if (overlap(boxes[i], boxes[j]))
        throw DataError(to_string(boxes[i]) + " overlaps " + to_string(boxes[j]));
    }
    covered += volume;
  }
  if (covered != all) throw DataError(fmt::format("slices hold {} of {} elements", covered, all));
}

void copy_into(MutableByteSpan whole, const std::vector<int64_t>& shape, size_t element_size, const Box& box,
               ByteSpan part) {
  if (part.empty()) return;
  // Elements lie together over the inner dimensions that the box spans whole, and over the first that it does
  // not.
  size_t outer = shape.size(), run = element_size;
  while (outer > 0) {
    --outer;
    run *= static_cast<size_t>(box.length[outer]);
    if (box.length[outer] != shape[outer]) break;
  }
  std::vector<int64_t> index(outer, 0);
  for (size_t done = 0; done < part.size(); done += run) {
    size_t element = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      int64_t position = box.start[d] + (d < outer ? index[d] : 0);
      element = element * static_cast<size_t>(shape[d]) + static_cast<size_t>(position);
    }
    std::memcpy(whole.data() + element * element_size, part.data() + done, run);
    for (size_t d = outer; d-- > 0;) {
      if (++index[d] < box.length[d]) break;
      index[d] = 0;
    }
  }
}

}  // namespace belfry::internal
