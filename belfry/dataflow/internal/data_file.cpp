#include "belfry/dataflow/internal/data_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "belfry/base/error.h"

namespace belfry::internal {
namespace {
constexpr uint64_t kChunk = 1 << 20;
}

// zlib's gz functions read a file that is not compressed as it is.
struct DataFile::Stream {
  explicit Stream(const std::string& path) : file(gzopen(path.c_str(), "rb")) {
    if (!file) throw DataError(path, "cannot open: " + std::generic_category().message(errno));
    gzbuffer(file, 1 << 17);
  }
  ~Stream() { gzclose(file); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  gzFile file;
};

DataFile::DataFile(const std::string& folder, const std::string& name, const std::string& expectation) {
  const std::filesystem::path plain = std::filesystem::path(folder) / name;
  std::error_code ignored;
  path_ = std::filesystem::exists(plain, ignored) ? plain.string() : plain.string() + ".gz";
  if (!std::filesystem::is_regular_file(path_, ignored)) {
    throw DataError(plain.string(),
                    fmt::format("expected this file or {}.gz, {}; found neither", name, expectation));
  }
  stream_ = std::make_unique<Stream>(path_);
}

DataFile::~DataFile() = default;

std::vector<uint8_t> DataFile::read_at_most(uint64_t size) {
  std::vector<uint8_t> bytes;
  while (bytes.size() < size) {
    const size_t begin = bytes.size();
    bytes.resize(begin + std::min(size - begin, std::max<uint64_t>(kChunk, begin)));
    const uint64_t wanted = std::min<uint64_t>(bytes.size() - begin, 1 << 30);  // zlib counts in int
    const int got = gzread(stream_->file, bytes.data() + begin, static_cast<unsigned>(wanted));
    int code = Z_OK;
    const char* message = gzerror(stream_->file, &code);
    // Z_BUF_ERROR: the compressed file ends too early; what came before is reported by its length.
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)) {
      fail(offset_, fmt::format("damaged file: {}", message));
    }
    bytes.resize(begin + static_cast<size_t>(got));
    offset_ += static_cast<uint64_t>(got);
    if (got == 0) break;
  }
  return bytes;
}

std::vector<uint8_t> DataFile::read(uint64_t size) {
  const uint64_t begin = offset_;
  std::vector<uint8_t> bytes = read_at_most(size);
  if (bytes.size() < size) {
    fail(offset_, fmt::format("expected {} bytes from byte {} on, so a length of {}, got only {}", size,
                              begin, begin + size, bytes.size()));
  }
  return bytes;
}

uint32_t DataFile::read_be32() {
  const std::vector<uint8_t> b = read(4);
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
}

std::vector<uint8_t> DataFile::read_rest(uint64_t max_size) {
  std::vector<uint8_t> bytes = read_at_most(max_size);
  expect_end();
  return bytes;
}

void DataFile::expect_end() {
  const uint64_t end = offset_;
  const bool is_longer = !read_at_most(1).empty();
  if (is_longer) fail(end, fmt::format("expected the end of the file, got more than {} bytes", end));
  int code = Z_OK;
  gzerror(stream_->file, &code);
  if (code == Z_BUF_ERROR) fail(end, "expected the end of the compressed data, got a file that is cut off");
}

void DataFile::fail(uint64_t offset, const std::string& what) const {
  throw DataError(path_, offset, what);
}

}  // namespace belfry::internal
