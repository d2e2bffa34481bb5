#include "belfry/formats/tfrecord.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/file_kind.h"

namespace belfry {
namespace {

constexpr uint64_t kLengthSize = 8, kCrcSize = 4, kHead = kLengthSize + kCrcSize;
static_assert(kHead + kCrcSize == kRecordFrame);
constexpr uint64_t kReadAhead = 256 << 10, kWriteBuffer = 1 << 20;

void append_number(std::string& out, uint64_t value, size_t size) {
  out.append(reinterpret_cast<const char*>(&value), size);
}

template <typename T>
T load(ByteSpan bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// The length of the payload whose frame begins with `head`, when `left` bytes are left of the file.
uint64_t payload_length(const std::string& path, uint64_t offset, ByteSpan head, uint64_t left) {
  const auto length = load<uint64_t>(head);
  if (mask_crc(crc32c(head.first(kLengthSize))) != load<uint32_t>(head.subspan(kLengthSize))) {
    throw DataError(path, offset,
                    "checksum of the record's length does not match (is this a TFRecord file?)" +
                        (offset == 0 ? looks_like(path) : ""));
  }
  left -= kHead;
  if (left < kCrcSize || length > left - kCrcSize) {
    throw DataError(path, offset,
                    fmt::format("record of {} bytes is cut off: {} bytes are left", length, left));
  }
  return length;
}

void check_head_is_there(const std::string& path, uint64_t offset, uint64_t left) {
  if (left >= kHead) return;
  throw DataError(
      path, offset,
      fmt::format("record is cut off: {} bytes are left", left) + (offset == 0 ? looks_like(path) : ""));
}

// The payload in the frame of the length told by its head.
std::string_view payload_of(const std::string& path, uint64_t offset, ByteSpan frame) {
  const ByteSpan payload = frame.subspan(kHead, frame.size() - kRecordFrame);
  if (mask_crc(crc32c(payload)) != load<uint32_t>(frame.last(kCrcSize))) {
    throw DataError(path, offset,
                    fmt::format("checksum of a record of {} bytes does not match", payload.size()));
  }
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

void append_frame(std::string& out, std::string_view payload) {
  const size_t begin = out.size();
  append_number(out, payload.size(), kLengthSize);
  append_number(out, mask_crc(crc32c(as_byte_span(out).subspan(begin))), kCrcSize);
  out.append(payload);
  append_number(out, mask_crc(crc32c(as_byte_span(payload))), kCrcSize);
}

}  // namespace

std::string frame_record(std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + kRecordFrame);
  append_frame(out, payload);
  return out;
}

std::string_view parse_record(const std::string& path, uint64_t offset, ByteSpan bytes) {
  check_head_is_there(path, offset, bytes.size());
  const uint64_t length = payload_length(path, offset, bytes.first(kHead), bytes.size());
  return payload_of(path, offset, bytes.first(length + kRecordFrame));
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

// The length of the next payload. Requires: not at the end.
uint64_t RecordReader::next_length() {
  const uint64_t left = file_->size() - offset_;
  check_head_is_there(path_, offset_, left);
  return payload_length(path_, offset_, peek(kHead), left);
}

bool RecordReader::next(std::string& payload) {
  if (offset_ == file_->size()) return false;
  const uint64_t length = next_length();
  payload = payload_of(path_, offset_, peek(length + kRecordFrame));
  offset_ += length + kRecordFrame;
  return true;
}

bool RecordReader::skip() {
  if (offset_ == file_->size()) return false;
  offset_ += next_length() + kRecordFrame;
  return true;
}

RecordWriter::RecordWriter(std::string path, FileSystem& files) : file_(files, std::move(path)) {}

void RecordWriter::append(std::string_view payload) {
  append_frame(buffer_, payload);
  offset_ += payload.size() + kRecordFrame;
  if (buffer_.size() < kWriteBuffer) return;
  file_.append(as_byte_span(buffer_));
  buffer_.clear();
}

void RecordWriter::publish() {
  file_.append(as_byte_span(buffer_));
  buffer_.clear();
  file_.publish();
}

}  // namespace belfry
