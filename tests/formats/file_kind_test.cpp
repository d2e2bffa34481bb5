#include "belfry/formats/file_kind.h"

#include <gmock/gmock.h>

#include "belfry/formats/npz.h"
#include "belfry/formats/onnx.h"
#include "belfry/formats/safetensors.h"
#include "belfry/formats/tfrecord.h"
#include "tests/formats/arrays.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using namespace std::string_literals;
using test::message_of;
using testing::HasSubstr;

std::string kind_of(const std::string& content) {
  return std::string(file_kind(as_byte_span(content)).value_or("unknown"));
}

struct Case {
  std::string content, kind;
};

TEST(FileKind, IsToldByTheFirstBytes) {
  const std::string zeros(600, '\0');
  const Case cases[] = {
      {"", "an empty file"},
      {"\x1f\x8b\x08\0\0\0\0\0\0\x03"s, "gzip-compressed"},
      {"\x78\x9c\x4b\x4c\x4a\x06\0\x02\x4d\x01\x27"s, "zlib-compressed"},  // zlib.compress(b"abc")
      {"BZh91AY&SY", "bzip2"},
      {"\xfd\x37zXZ\0\0\x04"s, "xz"},
      {"\x28\xb5\x2f\xfd\x24", "zstd"},
      {"PK\x03\x04-\0"s, "zip archive"},
      {"\x93NUMPY\x01", "npy"},
      {"\x89HDF\r\n\x1a\n", "HDF5"},
      {"MATLAB 5.0 MAT-file, Platform", "MATLAB"},
      {"SQLite format 3\0\x10"s, "SQLite"},
      {zeros.substr(0, 16) + "\xde\xc0\xef\xbe" + zeros, "LMDB"},
      {"\x89PNG\r\n\x1a\n\0\0"s, "PNG"},
      {"\xff\xd8\xff\xe0", "JPEG"},
      {"RIFF\x10\0\0\0WEBPVP8 "s, "WebP"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "Git LFS pointer"},
      {"<!DOCTYPE html><title>404</title>", "web page"},
      {std::string(257, '.') + "ustar\0"s, "tar archive"},
      {"\x80\x05K\x01.", "pickle"},
      {"\x08\x08\x12\x07pytorch", "ONNX"},
      {zeros, "nothing but zeros"},
      {"epoch,loss\n1,2.5\n", "text"},
      {"\xc3\x28\x91\x02\xff", "unknown"},
  };
  for (const auto& [content, kind] : cases) {
    EXPECT_THAT(kind_of(content), HasSubstr(kind)) << test::hex(content.substr(0, 20));
  }
}

TEST(FileKind, KnowsOurOwnFormats) {
  test::TempDir folder;
  NpzWriter npz(folder / "a.npz");
  npz.add("a", DataType::kInt8, {1}, as_byte_span("x"));
  npz.finish();
  write_safetensors(folder / "a.safetensors", {{{"a", DataType::kInt8, {1}}, as_byte_span("x")}});
  EXPECT_THAT(file_kind(folder / "a.npz"), testing::Optional(HasSubstr("zip archive")));
  EXPECT_THAT(file_kind(folder / "a.safetensors"), testing::Optional(HasSubstr("safetensors")));
  EXPECT_THAT(kind_of(frame_record("hello")), HasSubstr("TFRecord"));
  EXPECT_THAT(kind_of(test::slurp(folder / "a.npz")), HasSubstr("zip archive"));
  EXPECT_EQ(file_kind(folder / "missing"), std::nullopt);
  EXPECT_EQ(file_kind(folder.path()), std::nullopt);
}

// A file with another content than its name says is named by every reader.
TEST(FileKind, IsInTheMessagesOfReaders) {
  test::TempDir folder;
  const std::string path = folder / "x";
  test::spit(path, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4a\x06\0\xc2\x41\x24\x35\x03\0\0\0"s);
  const std::string expected = "looks like a gzip-compressed file";
  EXPECT_THAT(message_of<DataError>([&] { NpzReader reader(path); }), HasSubstr(expected));
  EXPECT_THAT(message_of<DataError>([&] { SafetensorsReader reader(path); }), HasSubstr(expected));
  EXPECT_THAT(message_of<DataError>([&] {
                std::string record;
                RecordReader(path).next(record);
              }),
              HasSubstr(expected));
  EXPECT_THAT(message_of<DataError>([&] { parse_onnx(path, as_byte_span(test::slurp(path))); }),
              HasSubstr(expected));
}

}  // namespace
}  // namespace belfry
