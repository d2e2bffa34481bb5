#include "belfry/formats/bundle_writer.h"

#include <fmt/format.h>
#include <protozero/varint.hpp>

#include <algorithm>
#include <iterator>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/internal/bundle_proto.h"
#include "belfry/formats/internal/table.h"

namespace belfry {
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

}  // namespace

BundleWriter::BundleWriter(std::string prefix, FileSystem& files)
    : files_(files), prefix_(std::move(prefix)), data_(files, prefix_ + ".data-00000-of-00001") {
  index_[""] = serialize(BundleHeader{});
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
}

}  // namespace belfry
