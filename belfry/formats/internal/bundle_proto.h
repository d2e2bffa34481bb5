#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/formats/dtype.h"

namespace belfry::internal {

// The protobuf messages inside a checkpoint's index, as plain structs. Parsing ignores unknown fields and
// throws protozero::exception on malformed input; it does not judge values.

/// BundleHeaderProto, the value of the empty key.
struct BundleHeader {
  int32_t num_shards = 1;
  int32_t endianness = 0;  // 0 little, 1 big
  int32_t producer = 1;
  int32_t min_consumer = 0;
};

/// TensorSliceProto: one range per dimension; no length means all of it.
struct SliceExtent {
  int64_t start = 0;
  std::optional<int64_t> length;
};
using Slice = std::vector<SliceExtent>;

/// BundleEntryProto.
struct BundleRecord {
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> shape;
  bool unknown_rank = false;
  int32_t shard = 0;
  int64_t offset = 0;
  int64_t size = 0;
  uint32_t masked_crc = 0;
  std::vector<Slice> slices;  // not empty: the data is in other records, one for each slice
};

BundleHeader parse_bundle_header(std::string_view bytes);
BundleRecord parse_bundle_record(std::string_view bytes);
std::string serialize(const BundleHeader& header);
/// Requires: no slices; we never write them.
std::string serialize(const BundleRecord& record);

/// The index key of the record that holds one slice of `name`: TensorFlow's ordered code of (0, name, rank,
/// then start and length of each dimension, length -1 standing for all).
std::string slice_key(std::string_view name, const Slice& slice);

}  // namespace belfry::internal
