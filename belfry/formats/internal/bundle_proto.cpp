#include "belfry/formats/internal/bundle_proto.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

// Messages of tensorflow/core/protobuf/tensor_bundle.proto and framework/tensor_slice.proto, by the numbers
// of their fields, and the keys of slices in TensorFlow's ordered code
// (tensorflow/core/lib/strings/ordered_code.h). What is written has no field of value zero, as protobuf's
// own writer leaves those out.
namespace belfry::internal {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::pbf_writer;

constexpr uint32_t field(uint32_t number, pbf_wire_type type) {
  return protozero::tag_and_type(number, type);
}
constexpr auto kVarint = pbf_wire_type::varint;
constexpr auto kBytes = pbf_wire_type::length_delimited;

SliceExtent parse_extent(pbf_reader message) {
  SliceExtent extent;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case field(1, kVarint):
        extent.start = message.get_int64();
        break;
      case field(2, kVarint):
        extent.length = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return extent;
}

Slice parse_slice(pbf_reader message) {
  Slice slice;
  while (message.next(1, kBytes)) slice.push_back(parse_extent(message.get_message()));
  return slice;
}

int64_t parse_dim(pbf_reader message) {
  int64_t size = 0;
  while (message.next(1, kVarint)) size = message.get_int64();
  return size;
}

void parse_shape(pbf_reader message, BundleRecord& record) {
  while (message.next()) {
    switch (message.tag_and_type()) {
      case field(2, kBytes):
        record.shape.push_back(parse_dim(message.get_message()));
        break;
      case field(3, kVarint):
        record.unknown_rank = message.get_bool();
        break;
      default:
        message.skip();
    }
  }
}

void parse_version(pbf_reader message, BundleHeader& header) {
  while (message.next()) {
    switch (message.tag_and_type()) {
      case field(1, kVarint):
        header.producer = message.get_int32();
        break;
      case field(2, kVarint):
        header.min_consumer = message.get_int32();
        break;
      default:
        message.skip();
    }
  }
}

template <typename Number>
void add_unless_zero(std::string& out, uint32_t number, Number value) {
  if (value != 0) pbf_writer(out).add_int64(number, value);
}

std::string serialize_shape(const std::vector<int64_t>& shape) {
  std::string out;
  for (int64_t size : shape) {
    std::string dim;
    add_unless_zero(dim, 1, size);
    pbf_writer(out).add_message(2, dim);
  }
  return out;
}

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

void append_ordered_number(std::string& out, uint64_t value) {
  int bytes = 0;
  while (bytes < 8 && value >> (8 * bytes)) ++bytes;
  out += static_cast<char>(bytes);
  append_big_endian(out, value, bytes);
}

void append_ordered_string(std::string& out, std::string_view text) {
  for (char c : text) {
    out += c;
    if (c == '\0') out += '\xff';
    if (c == '\xff') out += '\0';
  }
  out.append("\0\1", 2);
}

// n bytes of two's complement, the top n bits flipped; n is the smallest that leaves room for the sign.
void append_ordered_signed(std::string& out, int64_t value) {
  uint64_t magnitude = static_cast<uint64_t>(value < 0 ? ~value : value);
  int bytes = 1;
  while (bytes < 10 && (7 * bytes - 1) < 64 && magnitude >> (7 * bytes - 1)) ++bytes;
  std::string code(bytes, value < 0 ? '\xff' : '\0');
  for (int i = 0; i < bytes && i < 8; ++i) code[bytes - 1 - i] = static_cast<char>(value >> (8 * i));
  for (int bit = 0; bit < bytes; ++bit)
    code[bit / 8] = static_cast<char>(code[bit / 8] ^ (0x80 >> (bit % 8)));
  out += code;
}

}  // namespace

BundleHeader parse_bundle_header(std::string_view bytes) {
  BundleHeader header{.num_shards = 0, .producer = 0};
  pbf_reader message(bytes.data(), bytes.size());
  while (message.next()) {
    switch (message.tag_and_type()) {
      case field(1, kVarint):
        header.num_shards = message.get_int32();
        break;
      case field(2, kVarint):
        header.endianness = message.get_enum();
        break;
      case field(3, kBytes):
        parse_version(message.get_message(), header);
        break;
      default:
        message.skip();
    }
  }
  return header;
}

BundleRecord parse_bundle_record(std::string_view bytes) {
  BundleRecord record;
  pbf_reader message(bytes.data(), bytes.size());
  while (message.next()) {
    switch (message.tag_and_type()) {
      case field(1, kVarint):
        record.dtype = static_cast<DataType>(message.get_enum());
        break;
      case field(2, kBytes):
        parse_shape(message.get_message(), record);
        break;
      case field(3, kVarint):
        record.shard = message.get_int32();
        break;
      case field(4, kVarint):
        record.offset = message.get_int64();
        break;
      case field(5, kVarint):
        record.size = message.get_int64();
        break;
      case field(6, pbf_wire_type::fixed32):
        record.masked_crc = message.get_fixed32();
        break;
      case field(7, kBytes):
        record.slices.push_back(parse_slice(message.get_message()));
        break;
      default:
        message.skip();
    }
  }
  return record;
}

std::string serialize(const BundleHeader& header) {
  std::string version;
  add_unless_zero(version, 1, header.producer);
  add_unless_zero(version, 2, header.min_consumer);
  std::string out;
  add_unless_zero(out, 1, header.num_shards);
  add_unless_zero(out, 2, header.endianness);
  pbf_writer(out).add_message(3, version);
  return out;
}

std::string serialize(const BundleRecord& record) {
  std::string out;
  add_unless_zero(out, 1, static_cast<int>(record.dtype));
  pbf_writer(out).add_message(2, serialize_shape(record.shape));
  add_unless_zero(out, 3, record.shard);
  add_unless_zero(out, 4, record.offset);
  add_unless_zero(out, 5, record.size);
  if (record.masked_crc != 0) pbf_writer(out).add_fixed32(6, record.masked_crc);
  return out;
}

std::string slice_key(std::string_view name, const Slice& slice) {
  std::string key;
  append_ordered_number(key, 0);
  append_ordered_string(key, name);
  append_ordered_number(key, slice.size());
  for (const SliceExtent& extent : slice) {
    append_ordered_signed(key, extent.length ? extent.start : 0);
    append_ordered_signed(key, extent.length.value_or(-1));
  }
  return key;
}

}  // namespace belfry::internal
