#include "belfry/formats/internal/table.h"

#include <fmt/format.h>
#include <leveldb/env.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>
#include <protozero/varint.hpp>

#include <cstring>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/file_kind.h"

// The sorted string table of LevelDB (doc/table_format.md there): blocks of entries whose keys share
// prefixes, an index block, a footer at the end. Tables are written by LevelDB's own builder and read here,
// whole and in order, with every checksum compared. Invariant: what is read takes memory in proportion to
// the file, whatever the file says.
namespace belfry::internal {
namespace {

constexpr size_t kFooterSize = 48, kTrailerSize = 5, kBlockSize = 262144;
constexpr uint64_t kMagic = 0xdb4775248b80fb57;
// Keys share prefixes, so a small hostile file could spell out enormous ones. Of an honest file each entry
// has tens of bytes beside its key, so that all keys together are hardly longer than the file.
constexpr uint64_t kFreeKeyBytes = 4 << 20, kKeyBytesPerByte = 4;

template <typename T>
T load(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

class TableReader {
 public:
  using Visit = std::function<void(std::string_view, std::string_view)>;

  TableReader(const std::string& path, std::string_view bytes)
      : path_(path), bytes_(bytes), key_budget_(kFreeKeyBytes + bytes.size() * kKeyBytesPerByte) {}

  void read(const Visit& visit) {
    if (bytes_.size() < kFooterSize) {
      fail(0, "file of {} bytes is too short for a table{}", bytes_.size(), looks_like(as_byte_span(bytes_)));
    }
    const char* footer = bytes_.data() + bytes_.size() - kFooterSize;
    const char* magic = footer + kFooterSize - sizeof kMagic;
    if (load<uint64_t>(magic) != kMagic)
      fail(offset_of(magic), "wrong magic number{}", looks_like(as_byte_span(bytes_)));
    const char* p = footer;
    block(p, magic);  // The metaindex has nothing for us, but its bytes must be whole.
    std::string_view index = block(p, magic);
    for (; p < magic; ++p) {
      if (*p != 0) fail(offset_of(p), "padding is not zero");
    }
    const char* last_end = bytes_.data();
    for_each_entry(index, [&](std::string_view, std::string_view handle) {
      const char* h = handle.data();
      const std::string_view data = block(h, handle.data() + handle.size());
      if (data.data() < last_end) fail(offset_of(data.data()), "blocks overlap");
      last_end = data.data() + data.size();
      for_each_entry(data, [&](std::string_view key, std::string_view value) {
        if (!first_ && key <= last_key_) fail(offset_of(value.data()), "keys are not ascending");
        first_ = false;
        last_key_ = key;
        visit(key, value);
      });
    });
  }

 private:
  template <typename... Args>
  [[noreturn]] void fail(size_t offset, fmt::format_string<Args...> format, Args&&... args) const {
    throw DataError(path_, offset, "index corrupt: " + fmt::format(format, std::forward<Args>(args)...));
  }

  size_t offset_of(const char* p) const { return static_cast<size_t>(p - bytes_.data()); }

  uint64_t varint(const char*& p, const char* end) const {
    const char* start = p;
    try {
      uint64_t value = protozero::decode_varint(&p, end);
      // A longer code for the same number can only come from damage.
      if (p - start == 1 || p[-1] != 0) return value;
    } catch (const protozero::exception&) {
    }
    fail(offset_of(start), "bad length");
  }

  // The checked content of the block whose handle is at `p`.
  std::string_view block(const char*& p, const char* end) const {
    size_t at = offset_of(p);
    uint64_t offset = varint(p, end), size = varint(p, end);
    size_t limit = bytes_.size() - kFooterSize;
    if (offset > limit || limit - offset < kTrailerSize || size > limit - offset - kTrailerSize) {
      fail(at, "a block of {} bytes at {} lies outside the file of {} bytes", size, offset, bytes_.size());
    }
    std::string_view content = bytes_.substr(offset, size);
    uint32_t stored = unmask_crc(load<uint32_t>(content.data() + size + 1));
    uint32_t computed = crc32c(as_byte_span(bytes_.substr(offset, size + 1)));
    if (stored != computed) fail(offset, "block checksum is {:08x}, stored is {:08x}", computed, stored);
    if (char type = content.data()[size]; type != 0)
      fail(offset + size, "unsupported compression {}", int{type});
    return content;
  }

  template <typename EntryVisit>
  void for_each_entry(std::string_view block, const EntryVisit& visit) {
    if (block.size() < sizeof(uint32_t)) fail(offset_of(block.data()), "block too short");
    size_t words = block.size() / sizeof(uint32_t);
    uint32_t restarts = load<uint32_t>(block.data() + block.size() - sizeof(uint32_t));
    if (restarts > words - 1) fail(offset_of(block.data()), "block has {} restarts", restarts);
    const char* p = block.data();
    const char* end = p + block.size() - (size_t{restarts} + 1) * sizeof(uint32_t);
    std::string key;
    while (p < end) {
      const char* start = p;
      uint64_t shared = varint(p, end), own = varint(p, end), value_size = varint(p, end);
      auto left = static_cast<uint64_t>(end - p);
      if (shared > key.size() || own > left || value_size > left - own) fail(offset_of(start), "bad entry");
      if (shared + own > key_budget_) fail(offset_of(start), "keys are too long for this file");
      key_budget_ -= shared + own;
      key.resize(shared);
      key.append(p, own);
      visit(key, std::string_view(p + own, value_size));
      p += own + value_size;
    }
  }

  const std::string& path_;
  std::string_view bytes_;
  uint64_t key_budget_;
  std::string last_key_;
  bool first_ = true;
};

class StringFile : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& data) override {
    content.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }

  std::string content;
};

}  // namespace

void read_table(const std::string& path, std::string_view bytes,
                const std::function<void(std::string_view, std::string_view)>& visit) {
  TableReader(path, bytes).read(visit);
}

std::string build_table(const std::map<std::string, std::string>& entries) {
  leveldb::Options options;
  options.block_size = kBlockSize;
  options.compression = leveldb::kNoCompression;
  StringFile file;
  leveldb::TableBuilder builder(options, &file);
  for (const auto& [key, value] : entries) builder.Add(key, value);
  leveldb::Status status = builder.Finish();
  if (!status.ok()) throw InternalError("[build_table] expected a table, got " + status.ToString());
  return std::move(file.content);
}

}  // namespace belfry::internal
