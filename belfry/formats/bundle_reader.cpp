#include "belfry/formats/bundle_reader.h"

#include <fmt/format.h>
#include <protozero/exception.hpp>
#include <protozero/varint.hpp>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/internal/bundle_proto.h"
#include "belfry/formats/internal/partition.h"
#include "belfry/formats/internal/table.h"

// TensorFlow's checkpoint V2 (tensorflow/core/util/tensor_bundle): an index, which is a table of records by
// name, and shards with the bytes. All of the index is checked when it is read: shapes, ranges, that no two
// tensors share bytes, that slices make up their tensors. Bytes are compared with their checksum when they
// are read. Nothing that a file says is believed before it takes memory.
namespace belfry {

using namespace internal;

namespace {

constexpr uint64_t kMaxIndexSize = 64 << 20;  // half a million tensors
constexpr int kOurVersion = 1;
constexpr size_t kMaxRank = 254;  // TensorFlow's limit
constexpr size_t kPiece = 256 << 10;
constexpr size_t kCrcSize = sizeof(uint32_t);

// True for the keys of slices.
bool is_internal(const std::string& key) {
  return !key.empty() && key[0] == '\0';
}

void check_header(const std::string& path, const BundleHeader& header) {
  std::string problem;
  if (header.num_shards < 1) problem = fmt::format("{} shards", header.num_shards);
  if (header.endianness != 0) problem = "big-endian data, which is not supported";
  if (header.min_consumer > kOurVersion) {
    problem = fmt::format("minimum consumer version {}, above ours, {}", header.min_consumer, kOurVersion);
  }
  if (!problem.empty()) throw DataError(path, "checkpoint header says: " + problem);
}

std::string problem_of(const BundleRecord& record, int32_t num_shards) {
  if (record.unknown_rank) return "expected a known shape, got unknown rank";
  if (record.shape.size() > kMaxRank)
    return fmt::format("expected rank <= {}, got {}", kMaxRank, record.shape.size());
  if (!element_count(record.shape)) return "impossible shape " + describe(record.dtype, record.shape);
  if (record.dtype == DataType::kInvalid) return "expected a dtype, got none";
  if (record.slices.size() > kMaxSlices)
    return fmt::format("expected at most {} slices, got {}", kMaxSlices, record.slices.size());
  if (!record.slices.empty()) return "";
  if (record.shard < 0 || record.shard >= num_shards) {
    return fmt::format("expected a shard below {}, got {}", num_shards, record.shard);
  }
  if (record.offset < 0 || record.size < 0) {
    return fmt::format("expected a range of bytes, got {} at {}", record.size, record.offset);
  }
  // Without a fixed size there is nothing to compare with.
  if (size_of(record.dtype) == 0) return "";
  auto expected = byte_size(record.dtype, record.shape);
  if (!expected) return "impossible shape " + describe(record.dtype, record.shape);
  if (*expected != static_cast<uint64_t>(record.size)) {
    return fmt::format("expected {} bytes for {}, got {}", *expected, describe(record.dtype, record.shape),
                       record.size);
  }
  return "";
}

}  // namespace

struct BundleReader::Tensor {
  BundleRecord record;
  // Of a partitioned tensor: the place of each slice, and the key under which it is stored.
  std::vector<Box> boxes;
  std::vector<std::string> keys;
};

struct BundleReader::Shard {
  std::string path;
  std::unique_ptr<ReadableFile> file;  // null when it could not be opened
  std::string error;
};

BundleReader::BundleReader(std::string prefix, FileSystem& files) : prefix_(std::move(prefix)) {
  read_index_and_shards(files);
  check_overlap();
  for (auto& [name, tensor] : tensors_) {
    if (!is_internal(name)) check_slices(name, tensor);
  }
}
BundleReader::~BundleReader() = default;
BundleReader::BundleReader(BundleReader&&) noexcept = default;
BundleReader& BundleReader::operator=(BundleReader&&) noexcept = default;

void BundleReader::fail(const std::string& name, const std::string& what) const {
  throw DataError(prefix_, "[tensor " + name + "] " + what);
}

// Another process may replace the checkpoint by one of the same name, whose data has another name, and remove
// the old data before we opened it.
void BundleReader::read_index_and_shards(FileSystem& files) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    entries_.clear();
    tensors_.clear();
    shards_.clear();
    num_shards_ = 0;
    read_index(files);
    open_shards(files);
    const bool all_there = std::all_of(shards_.begin(), shards_.end(),
                                       [](const auto& shard) { return shard.second.file != nullptr; });
    if (all_there) return;
  }
}

void BundleReader::read_index(FileSystem& files) {
  std::string path = prefix_ + ".index";
  std::string bytes = read_file(files, path, kMaxIndexSize);
  read_table(path, bytes, [&](std::string_view key, std::string_view value) {
    try {
      if (num_shards_ == 0) {  // The header comes first because its key, the empty one, sorts first.
        if (!key.empty()) throw DataError(path, "index corrupt: no header");
        BundleHeader header = parse_bundle_header(value);
        check_header(path, header);
        num_shards_ = header.num_shards;
        return;
      }
      std::string name(key);
      BundleRecord record = parse_bundle_record(value);
      if (std::string problem = problem_of(record, num_shards_); !problem.empty()) fail(name, problem);
      if (!is_internal(name)) entries_.push_back({name, record.dtype, record.shape});
      tensors_[name].record = std::move(record);
    } catch (const protozero::exception& e) {
      throw DataError(path, fmt::format("index corrupt: [tensor {}] {}", key, e.what()));
    }
  });
  if (num_shards_ == 0) throw DataError(path, "index corrupt: no header");
}

void BundleReader::open_shards(FileSystem& files) {
  for (const auto& [name, tensor] : tensors_) {
    if (!tensor.record.slices.empty()) continue;
    auto [place, added] = shards_.try_emplace(tensor.record.shard);
    if (!added) continue;
    Shard& shard = place->second;
    shard.path = fmt::format("{}.data-{:05}-of-{:05}", prefix_, tensor.record.shard, num_shards_);
    try {
      shard.file = files.open(shard.path);
    } catch (const DataError& e) {
      shard.error = e.what();
    }
  }
}

void BundleReader::check_slices(const std::string& name, Tensor& tensor) const {
  const BundleRecord& record = tensor.record;
  if (record.slices.empty()) return;
  try {
    for (const Slice& slice : record.slices) {
      tensor.boxes.push_back(resolve(slice, record.shape));
      tensor.keys.push_back(slice_key(name, slice));
    }
    check_partition(tensor.boxes, record.shape);
  } catch (const DataError& e) {
    fail(name, e.what());
  }
  for (size_t i = 0; i < tensor.keys.size(); ++i) {
    auto part = tensors_.find(tensor.keys[i]);
    if (part == tensors_.end()) fail(name, fmt::format("slice {} is missing", i));
    const BundleRecord& found = part->second.record;
    if (found.dtype != record.dtype || found.shape != tensor.boxes[i].length || !found.slices.empty()) {
      fail(name,
           fmt::format("expected slice {} to be {}, got {}", i,
                       describe(record.dtype, tensor.boxes[i].length), describe(found.dtype, found.shape)));
    }
  }
}

// Tensors that share bytes could claim more memory than the files have.
void BundleReader::check_overlap() const {
  using Range = std::tuple<int32_t, uint64_t, uint64_t, const std::string*>;  // shard, begin, end, name
  std::vector<Range> ranges;
  for (const auto& [name, tensor] : tensors_) {
    const BundleRecord& record = tensor.record;
    if (!record.slices.empty() || record.size == 0) continue;
    const auto begin = static_cast<uint64_t>(record.offset);
    ranges.emplace_back(record.shard, begin, begin + static_cast<uint64_t>(record.size), &name);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    const auto& [shard, begin, end, name] = ranges[i];
    if (shard == std::get<0>(ranges[i - 1]) && begin < std::get<2>(ranges[i - 1])) {
      fail(*name, fmt::format("shares bytes with {}", *std::get<3>(ranges[i - 1])));
    }
  }
}

bool BundleReader::contains(const std::string& name) const {
  return tensors_.contains(name) && !is_internal(name);
}

const BundleReader::Tensor& BundleReader::find(const std::string& name) const {
  auto tensor = tensors_.find(name);
  if (tensor == tensors_.end() || is_internal(name)) fail(name, "not in the checkpoint");
  return tensor->second;
}

const BundleReader::Shard& BundleReader::check_extent(const std::string& name, const Tensor& tensor) const {
  const Shard& shard = shards_.at(tensor.record.shard);
  if (!shard.file) fail(name, shard.error);
  auto offset = static_cast<uint64_t>(tensor.record.offset), size = static_cast<uint64_t>(tensor.record.size);
  if (offset > shard.file->size() || size > shard.file->size() - offset) {
    fail(name, fmt::format("expected {} bytes at {} of {}, but the file has {}", size, offset, shard.path,
                           shard.file->size()));
  }
  return shard;
}

const ArrayInfo& BundleReader::entry(const std::string& name) const {
  const Tensor& tensor = find(name);
  if (tensor.keys.empty()) check_extent(name, tensor);
  for (const std::string& key : tensor.keys) check_extent(name, tensors_.at(key));
  return *std::lower_bound(entries_.begin(), entries_.end(), name,
                           [](const ArrayInfo& info, const std::string& n) { return info.name < n; });
}

void BundleReader::read(const std::string& name, MutableByteSpan out) const {
  const ArrayInfo& info = entry(name);
  auto size = byte_size(info.dtype, info.shape);
  if (!size) fail(name, "elements of type " + to_string(info.dtype) + " cannot be read as bytes");
  if (*size != out.size()) {
    throw UsageError(fmt::format("[BundleReader {}] expected {} bytes of memory for {}, got {}", prefix_,
                                 *size, name, out.size()));
  }
  const Tensor& tensor = find(name);
  tensor.keys.empty() ? read_plain(name, tensor, out) : read_slices(name, tensor, out);
}

uint32_t BundleReader::read_bytes(const std::string& name, const Tensor& tensor, MutableByteSpan out) const {
  const Shard& shard = check_extent(name, tensor);
  uint32_t crc = 0;
  // Piece by piece, so that the sum reads what the copy has just brought into the cache.
  for (size_t done = 0; done < out.size(); done += kPiece) {
    MutableByteSpan piece = out.subspan(done, std::min(kPiece, out.size() - done));
    shard.file->read(static_cast<uint64_t>(tensor.record.offset) + done, piece);
    crc = crc32c(piece, crc);
  }
  return crc;
}

void BundleReader::check_sum(const std::string& name, const Tensor& tensor, uint32_t computed) const {
  uint32_t stored = unmask_crc(tensor.record.masked_crc);
  if (computed == stored) return;
  fail(name, fmt::format("checksum of {} bytes at {} of {} is {:08x}, stored is {:08x}", tensor.record.size,
                         tensor.record.offset, shards_.at(tensor.record.shard).path, computed, stored));
}

void BundleReader::read_plain(const std::string& name, const Tensor& tensor, MutableByteSpan out) const {
  check_sum(name, tensor, read_bytes(name, tensor, out));
}

void BundleReader::read_slices(const std::string& name, const Tensor& tensor, MutableByteSpan out) const {
  for (size_t i = 0; i < tensor.keys.size(); ++i) {
    const Tensor& part = tensors_.at(tensor.keys[i]);
    std::vector<std::byte> bytes(static_cast<size_t>(part.record.size));
    read_plain(name, part, bytes);
    copy_into(out, tensor.record.shape, size_of(tensor.record.dtype), tensor.boxes[i], bytes);
  }
}

// The layout is described at BundleWriter::add_strings.
std::vector<std::string> BundleReader::read_strings(const std::string& name) const {
  const ArrayInfo& info = entry(name);
  const Tensor& tensor = find(name);
  if (info.dtype != DataType::kString || !tensor.keys.empty()) {
    fail(name, "expected a whole string tensor, got " + describe(info.dtype, info.shape));
  }
  uint64_t count = element_count(info.shape).value();
  auto size = static_cast<uint64_t>(tensor.record.size);
  // Each length takes a byte at least.
  if (size < kCrcSize || count > size - kCrcSize) {
    fail(name, fmt::format("{} strings do not fit into {} bytes", count, size));
  }
  std::string bytes(size, '\0');
  read_bytes(name, tensor, std::as_writable_bytes(std::span(bytes)));

  const char* p = bytes.data();
  const char* end = p + bytes.size();
  std::vector<uint64_t> lengths(count);
  uint32_t crc = 0;
  try {
    for (uint64_t& length : lengths) {
      length = protozero::decode_varint(&p, end);
      crc = crc32c(as_byte_span({reinterpret_cast<const char*>(&length), length >> 32 ? 8u : 4u}), crc);
    }
  } catch (const protozero::exception&) {
    fail(name, "bad string length");
  }
  uint32_t stored;
  if (static_cast<size_t>(end - p) < kCrcSize) fail(name, "string lengths are cut off");
  std::memcpy(&stored, p, kCrcSize);
  if (mask_crc(crc) != stored) fail(name, "checksum of the string lengths does not match");
  crc = crc32c(as_byte_span({p, bytes.size() - static_cast<size_t>(p - bytes.data())}), crc);
  check_sum(name, tensor, crc);
  p += kCrcSize;

  std::vector<std::string> elements;
  for (uint64_t length : lengths) {
    if (length > static_cast<uint64_t>(end - p)) fail(name, "strings are cut off");
    elements.emplace_back(p, length);
    p += length;
  }
  if (p != end) fail(name, fmt::format("{} bytes behind the last string", end - p));
  return elements;
}

}  // namespace belfry
