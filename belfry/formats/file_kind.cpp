#include "belfry/formats/file_kind.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"

// What a file is, for error messages alone ("… it looks like a zip archive"): by its first and last bytes,
// the marks that are surest first. Nothing is decided by the answer.
namespace belfry {
namespace {

using namespace std::string_view_literals;

// Enough for every mark below.
constexpr uint64_t kHead = 512, kTail = 8;

// What is known of a file: its first bytes (at most kHead), its last ones (at most kTail), its size.
struct Ends {
  std::string_view head, tail;
  uint64_t size;

  template <typename T>
  T number(size_t at) const {
    T value = 0;
    if (at + sizeof value <= head.size()) std::memcpy(&value, head.data() + at, sizeof value);
    return value;
  }
  uint8_t byte(size_t at) const { return number<uint8_t>(at); }
};

struct Magic {
  std::string_view bytes;
  std::string_view kind;
  size_t offset = 0;
};

// A mark that is the beginning of another comes behind it.
constexpr Magic kMagics[] = {
    {"version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer: the file itself was not downloaded"},
    {"\x1f\x8b"sv, "a gzip-compressed file"},
    {"BZh"sv, "a bzip2-compressed file"},
    {"\xfd"
     "7zXZ\0"sv,
     "an xz-compressed file"},
    {"\x28\xb5\x2f\xfd"sv, "a zstd-compressed file"},
    {"PK\x03\x04"sv, "a zip archive, as npz and PyTorch's files are"},
    {"PK\x05\x06"sv, "an empty zip archive"},
    {"\x93NUMPY"sv, "a numpy npy file"},
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
    {"MATLAB 5.0 MAT-file"sv, "a MATLAB mat file"},
    {"SQLite format 3\0"sv, "an SQLite database"},
    {"\xde\xc0\xef\xbe"sv, "an LMDB database", 16},
    {"\x89PNG\r\n\x1a\n"sv, "a PNG picture"},
    {"\xff\xd8\xff"sv, "a JPEG picture"},
    {"GIF87a"sv, "a GIF picture"},
    {"GIF89a"sv, "a GIF picture"},
    {"II*\0"sv, "a TIFF picture"},
    {"MM\0*"sv, "a TIFF picture"},
    {"WEBP"sv, "a WebP picture", 8},
    {"ftypheic"sv, "a HEIC picture", 4},
    {"ftypavif"sv, "an AVIF picture", 4},
    {"\0\x05\x16\x07"sv, "macOS metadata of another file, whose name has no ._ before it"},
    {"PAR1"sv, "a Parquet file"},
    {"ARROW1"sv, "an Arrow file"},
    {"GGUF"sv, "a GGUF model"},
    {"ustar"sv, "a tar archive", 257},
    {"<!DOCTYPE html"sv, "a web page"},
    {"<!doctype html"sv, "a web page"},
    {"<html"sv, "a web page"},
};

bool is_zlib(const Ends& file) {
  // Deflate with a window of 32 KiB, no dictionary: what zlib's own compressor writes, at any level.
  const uint8_t flags = file.byte(1);
  return file.size > 6 && file.byte(0) == 0x78 && (flags & 0x20) == 0 && (0x7800 + flags) % 31 == 0;
}

bool is_table(const Ends& file) {
  constexpr std::string_view kTableMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";
  return file.size >= 48 && file.tail == kTableMagic;
}

// The table's first key is the empty one; its value is a SavedTensorSlices, whose field 1 is a message, in
// V1 files, and a BundleHeaderProto, whose field 1 is the number of shards, in V2 indexes.
bool is_v1_checkpoint(const Ends& file) {
  if (!is_table(file) || file.byte(0) != 0 || file.byte(1) != 0) return false;
  size_t value = 2;  // behind its length, a varint
  while (file.byte(value) & 0x80) ++value;
  return file.byte(value + 1) == 0x0a;
}

bool is_records(const Ends& file) {
  if (file.head.size() < 12) return false;
  const ByteSpan length = as_byte_span(file.head.substr(0, 8));
  return file.number<uint32_t>(8) == mask_crc(crc32c(length));
}

bool is_safetensors(const Ends& file) {
  const auto length = file.number<uint64_t>(0);
  return file.size > 8 && length >= 2 && length <= file.size - 8 && file.head[8] == '{';
}

bool is_pickle(const Ends& file) {
  return file.byte(0) == 0x80 && file.byte(1) >= 2 && file.byte(1) <= 5 && file.tail.ends_with('.');
}

// ModelProto: field 1, ir_version; then the producer's name, the version of it, or the graph.
bool is_onnx(const Ends& file) {
  constexpr std::string_view kNextTags = "\x12\x1a\x22\x32\x3a\x42";
  return file.byte(0) == 0x08 && file.byte(1) >= 1 && file.byte(1) <= 20 && file.head.size() > 2 &&
         kNextTags.find(file.head[2]) != std::string_view::npos;
}

// SavedModel: field 1, the schema's version, 1; then a MetaGraphDef.
bool is_saved_model(const Ends& file) {
  return file.byte(0) == 0x08 && file.byte(1) == 1 && file.byte(2) == 0x12 && file.size > 256;
}

bool is_text(const Ends& file) {
  return std::ranges::all_of(
      file.head, [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; });
}

bool is_zeros(const Ends& file) {
  return file.size >= 16 && std::ranges::all_of(file.head, [](char c) { return c == 0; });
}

struct Test {
  bool (*is)(const Ends&);
  std::string_view kind;
};

// The surer ones first.
constexpr Test kTests[] = {
    {[](const Ends& file) { return file.size == 0; }, "an empty file"},
    {is_v1_checkpoint, kV1Checkpoint},
    {is_table, "the index of a TensorFlow checkpoint"},
    {is_records, "a TFRecord or event file"},
    {is_safetensors, "a safetensors file"},
    {is_pickle, "a Python pickle"},
    {is_zeros, "nothing but zeros, as a broken download or copy leaves"},
    {is_saved_model, "a TensorFlow SavedModel's graph or an ONNX model"},
    {is_onnx, "an ONNX model"},
    {is_zlib, "a zlib-compressed file"},
    {is_text, "a text file"},
};

std::optional<std::string_view> kind_of(const Ends& file) {
  for (const auto& [bytes, kind, offset] : kMagics) {
    if (file.head.size() >= offset && file.head.substr(offset).starts_with(bytes)) return kind;
  }
  for (const auto& [is, kind] : kTests) {
    if (is(file)) return kind;
  }
  return std::nullopt;
}

std::string in_words(std::optional<std::string_view> kind) {
  return kind ? std::string(" (looks like ").append(*kind).append(")") : "";
}

}  // namespace

std::optional<std::string_view> file_kind(ByteSpan content) {
  const std::string_view all(reinterpret_cast<const char*>(content.data()), content.size());
  return kind_of(
      {all.substr(0, kHead), all.substr(all.size() - std::min<size_t>(kTail, all.size())), all.size()});
}

std::optional<std::string_view> file_kind(const ReadableFile& file) {
  try {
    const uint64_t size = file.size();
    std::string head(std::min(kHead, size), '\0'), tail(std::min(kTail, size), '\0');
    file.read(0, std::as_writable_bytes(std::span(head)));
    file.read(size - tail.size(), std::as_writable_bytes(std::span(tail)));
    return kind_of({head, tail, size});
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<std::string_view> file_kind(const std::string& path, FileSystem& files) {
  try {
    return file_kind(*files.open(path));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string looks_like(ByteSpan content) {
  return in_words(file_kind(content));
}

std::string looks_like(const ReadableFile& file) {
  return in_words(file_kind(file));
}

std::string looks_like(const std::string& path, FileSystem& files) {
  return in_words(file_kind(path, files));
}

}  // namespace belfry
