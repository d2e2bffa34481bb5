#include "belfry/formats/tfrecord.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"

namespace belfry {
namespace {

constexpr uint64_t kLengthSize = 8, kCrcSize = 4, kHead = kLengthSize + kCrcSize;
constexpr uint64_t kReadAhead = 256 << 10;

void append_number(std::string& out, uint64_t value, size_t size) {
  out.append(reinterpret_cast<const char*>(&value), size);
}

template <typename T>
T load(ByteSpan bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

std::string frame_record(std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + kHead + kCrcSize);
  append_number(out, payload.size(), kLengthSize);
  append_number(out, mask_crc(crc32c(as_byte_span(out))), kCrcSize);
  out.append(payload);
  append_number(out, mask_crc(crc32c(as_byte_span(payload))), kCrcSize);
  return out;
}

RecordReader::RecordReader(std::string path, FileSystem& files)
    : path_(std::move(path)), file_(files.open(path_)) {}

// The next `size` bytes. Requires: the file has them.
ByteSpan RecordReader::peek(uint64_t size) {
  bool inside = offset_ >= window_begin_ && offset_ - window_begin_ <= window_.size();
  if (!inside || window_.size() - (offset_ - window_begin_) < size) {
    window_begin_ = offset_;
    window_.resize(std::min(std::max(size, kReadAhead), file_->size() - offset_));
    file_->read(offset_, std::as_writable_bytes(std::span(window_)));
  }
  return as_byte_span(window_).subspan(offset_ - window_begin_, size);
}

bool RecordReader::next(std::string& payload) {
  uint64_t left = file_->size() - offset_;
  if (left == 0) return false;
  if (left < kHead)
    throw DataError(path_, offset_, fmt::format("record is cut off: {} bytes are left", left));
  ByteSpan head = peek(kHead);
  auto length = load<uint64_t>(head);
  if (mask_crc(crc32c(head.first(kLengthSize))) != load<uint32_t>(head.subspan(kLengthSize))) {
    throw DataError(path_, offset_,
                    "checksum of the record's length does not match (is this a TFRecord file?)");
  }
  left -= kHead;
  if (left < kCrcSize || length > left - kCrcSize) {
    throw DataError(path_, offset_,
                    fmt::format("record of {} bytes is cut off: {} bytes are left", length, left));
  }
  ByteSpan record = peek(kHead + length + kCrcSize).subspan(kHead);
  ByteSpan content = record.first(length);
  if (mask_crc(crc32c(content)) != load<uint32_t>(record.subspan(length))) {
    throw DataError(path_, offset_, fmt::format("checksum of a record of {} bytes does not match", length));
  }
  payload.assign(reinterpret_cast<const char*>(content.data()), content.size());
  offset_ += kHead + length + kCrcSize;
  return true;
}

}  // namespace belfry
