#include "belfry/formats/bundle_writer.h"

#include <fmt/format.h>
#include <protozero/varint.hpp>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/internal/bundle_proto.h"
#include "belfry/formats/internal/table.h"

namespace belfry {

using namespace internal;

namespace {

// Small enough that the sum's pass over a piece leaves it in the cache for the write.
constexpr size_t kPiece = 256 << 10;

template <typename T>
ByteSpan bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// The sum sees each length as a plain number, 4 bytes where that is enough, whatever the file's encoding.
uint32_t crc_of_length(uint64_t length, uint32_t previous) {
  auto narrow = static_cast<uint32_t>(length);
  return narrow == length ? crc32c(bytes_of(narrow), previous) : crc32c(bytes_of(length), previous);
}

std::string data_path(const std::string& prefix, int num_shards) {
  return fmt::format("{}.data-00000-of-{:05}", prefix, num_shards);
}

// The first number of shards for which there is no data file yet. Readers open only the shards that records
// name, so those after the first need not exist.
int free_shard_count(FileSystem& files, const std::string& prefix) {
  int count = 1;
  while (files.exists(data_path(prefix, count))) ++count;
  return count;
}

}  // namespace

BundleWriter::BundleWriter(std::string prefix, FileSystem& files)
    : files_(files),
      prefix_(std::move(prefix)),
      num_shards_(free_shard_count(files, prefix_)),
      data_(files, data_path(prefix_, num_shards_)) {
  index_[""] = serialize(BundleHeader{.num_shards = num_shards_});
}

void BundleWriter::check_name(const std::string& name) const {
  if (name.empty() || name[0] == '\0') {
    throw UsageError("[BundleWriter " + prefix_ + "] expected a tensor name, got an empty or reserved one");
  }
  if (index_.contains(name)) {
    throw UsageError("[BundleWriter " + prefix_ + "] expected each name once, got " + name + " again");
  }
}

void BundleWriter::append(ByteSpan bytes, uint32_t& crc) {
  position_ += bytes.size();
  while (!bytes.empty()) {
    ByteSpan piece = bytes.first(std::min(bytes.size(), kPiece));
    crc = crc32c(piece, crc);
    data_.append(piece);
    bytes = bytes.subspan(piece.size());
  }
}

void BundleWriter::add_to_index(const std::string& name, DataType dtype, const std::vector<int64_t>& shape,
                                uint64_t begin, uint32_t crc) {
  index_[name] = serialize(BundleRecord{.dtype = dtype,
                                        .shape = shape,
                                        .offset = static_cast<int64_t>(begin),
                                        .size = static_cast<int64_t>(position_ - begin),
                                        .masked_crc = mask_crc(crc),
                                        .slices = {}});
}

void BundleWriter::add(const std::string& name, DataType dtype, const std::vector<int64_t>& shape,
                       ByteSpan bytes) {
  check_name(name);
  if (byte_size(dtype, shape) != bytes.size()) {
    throw UsageError(fmt::format("[BundleWriter {}] expected the bytes of {} for {}, got {} bytes", prefix_,
                                 describe(dtype, shape), name, bytes.size()));
  }
  uint64_t begin = position_;
  uint32_t crc = 0;
  append(bytes, crc);
  add_to_index(name, dtype, shape, begin, crc);
}

// A string tensor is all lengths as varints, the masked sum of the lengths, then all characters.
void BundleWriter::add_strings(const std::string& name, const std::vector<int64_t>& shape,
                               std::span<const std::string> elements) {
  check_name(name);
  if (element_count(shape) != elements.size()) {
    throw UsageError(fmt::format("[BundleWriter {}] expected the elements of {} for {}, got {}", prefix_,
                                 describe(DataType::kString, shape), name, elements.size()));
  }
  uint64_t begin = position_;
  uint32_t crc = 0;
  std::string lengths;
  for (const std::string& element : elements) {
    protozero::write_varint(std::back_inserter(lengths), element.size());
    crc = crc_of_length(element.size(), crc);
  }
  uint32_t masked = mask_crc(crc);
  data_.append(as_byte_span(lengths));
  position_ += lengths.size();
  append(bytes_of(masked), crc);
  for (const std::string& element : elements) append(as_byte_span(element), crc);
  add_to_index(name, DataType::kString, shape, begin, crc);
}

void BundleWriter::finish() {
  data_.publish();
  write_file_atomically(files_, prefix_ + ".index", as_byte_span(build_table(index_)));
  remove_old_data();
}

// The new checkpoint is there already, so a failure is no more than a waste of space.
void BundleWriter::remove_old_data() {
  const std::string folder = folder_of(prefix_);
  const std::string data_name = std::filesystem::path(data_path(prefix_, num_shards_)).filename().string();
  const std::string data_of_prefix = std::filesystem::path(prefix_).filename().string() + ".data-";
  try {
    for (const std::string& name : files_.list(folder)) {
      if (name.starts_with(data_of_prefix) && name != data_name) files_.remove(folder + "/" + name);
    }
  } catch (const DataError& e) {
    log_warning("[BundleWriter] old data stays: {}", e.what());
  }
}

}  // namespace belfry
