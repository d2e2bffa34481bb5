#include "belfry/data/storage/internal/lmdb.h"

#include <fmt/format.h>

#include <bit>
#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/formats/file_kind.h"

// LMDB (its file is described in mdb.c) maps a file and believes what it says. So the two pages that
// describe the rest are checked before the library opens it, the file's size when it has, and the size of
// each entry when it is read; what names a database inside of the database is told from a value.
namespace belfry::internal {
namespace {

MDB_val to_lmdb(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

std::string_view to_text(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

ByteSpan to_bytes(const MDB_val& value) {
  return as_byte_span(to_text(value));
}

}  // namespace

std::string lmdb_file(const std::string& path) {
  std::error_code ignored;  // opening the file gives the reason
  return std::filesystem::is_directory(path, ignored) ? path + "/data.mdb" : path;
}

void check_lmdb(int code, const std::string& file) {
  if (code != MDB_SUCCESS) throw DataError(file, mdb_strerror(code));
}

// LMDB believes what a file says. This catches what damage does to the two pages that describe the rest: the
// library divides by their page size, and maps by it. (mdb.c: MDB_page's header, then MDB_meta.)
void LmdbDatabase::check_meta_pages(const ReadableFile& file) const {
  constexpr uint64_t kPageHeader = 16, kPageSize = kPageHeader + 24, kMinPage = 512, kMaxPage = 1 << 16;
  constexpr uint32_t kMagic = 0xBEEFC0DE;
  auto number_at = [&](uint64_t offset) {
    uint32_t number = 0;
    if (file.size() < offset + sizeof number)
      throw DataError(file_,
                      fmt::format("expected an LMDB database, got a shorter file{}", looks_like(file_)));
    file.read(offset, std::as_writable_bytes(std::span(&number, 1)));
    return number;
  };
  const uint64_t page_size = number_at(kPageSize);
  for (const uint64_t page : {uint64_t{0}, page_size}) {
    if (number_at(page + kPageHeader) != kMagic) {
      throw DataError(
          file_, page,
          fmt::format("expected an LMDB database, got a page without its magic number{}", looks_like(file_)));
    }
    const uint64_t size = number_at(page + kPageSize);
    if (size != page_size || !std::has_single_bit(size) || size < kMinPage || size > kMaxPage)
      throw DataError(
          file_, page,
          fmt::format("expected pages of {} to {} bytes, a power of two, got {}", kMinPage, kMaxPage, size));
  }
}

LmdbDatabase::LmdbDatabase(const std::string& path) : file_(lmdb_file(path)) {
  const auto bytes = FileSystem::posix().open(file_);
  const uint64_t size = bytes->size();
  check_meta_pages(*bytes);
  MDB_env* environment = nullptr;
  check_lmdb(mdb_env_create(&environment), file_);
  environment_.reset(environment);
  check_lmdb(mdb_env_set_mapsize(environment, size), file_);
  check_lmdb(mdb_env_set_maxdbs(environment, 1), file_);  // for check_is_value
  constexpr unsigned kFlags = MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS;
  if (const int code = mdb_env_open(environment, file_.c_str(), kFlags, 0); code != MDB_SUCCESS)
    throw DataError(
        file_, fmt::format("expected an LMDB database, got: {}{}", mdb_strerror(code), looks_like(file_)));
  MDB_envinfo info;
  MDB_stat stat;
  check_lmdb(mdb_env_info(environment, &info), file_);
  check_lmdb(mdb_env_stat(environment, &stat), file_);
  size_ = size;
  const uint64_t needed = (uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
  if (size < needed)
    throw DataError(file_, fmt::format("the database is cut off: expected {} bytes, got {}", needed, size));

  LmdbTransaction transaction = begin();
  check_lmdb(mdb_dbi_open(transaction.get(), nullptr, 0, &dbi_), file_);
  check_lmdb(mdb_stat(transaction.get(), dbi_, &stat), file_);
  entries_ = static_cast<int64_t>(stat.ms_entries);
  check_lmdb(mdb_txn_commit(transaction.release()), file_);
}

void LmdbDatabase::check_size(const MDB_val& bytes) const {
  if (bytes.mv_size > size_) {
    throw DataError(file_, fmt::format("the database is damaged: it has {} bytes, and an entry of {}", size_,
                                       bytes.mv_size));
  }
}

LmdbTransaction LmdbDatabase::begin() const {
  MDB_txn* transaction = nullptr;
  check_lmdb(mdb_txn_begin(environment_.get(), nullptr, MDB_RDONLY, &transaction), file_);
  return LmdbTransaction(transaction);
}

void LmdbDatabase::check_is_value(std::string_view key, ByteSpan value) const {
  // The record of a database is LMDB's MDB_db: flags and depth of 8 bytes, and five numbers.
  constexpr size_t kRecordSize = 8 + 5 * sizeof(size_t);
  if (value.size() != kRecordSize || key.empty() || key.find('\0') != std::string_view::npos) return;
  const std::lock_guard lock(mutex_);  // LMDB opens one database at a time
  const LmdbTransaction transaction = begin();
  MDB_dbi inner;
  // Of a value it says that it is not compatible with a database.
  if (mdb_dbi_open(transaction.get(), std::string(key).c_str(), 0, &inner) != MDB_SUCCESS) return;
  throw DataError(file_, fmt::format("expected values, got the database '{}' inside the database: named "
                                     "databases are not read",
                                     key));
}

LmdbSnapshot::LmdbSnapshot(std::shared_ptr<const LmdbDatabase> database)
    : database_(std::move(database)), transaction_(database_->begin()) {
  MDB_cursor* cursor = nullptr;
  check_lmdb(mdb_cursor_open(transaction_.get(), database_->dbi(), &cursor), database_->file());
  cursor_.reset(cursor);
}

std::optional<ByteSpan> LmdbSnapshot::get(std::string_view key) const {
  MDB_val lmdb_key = to_lmdb(key), value;
  const int code = mdb_get(transaction_.get(), database_->dbi(), &lmdb_key, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  check_lmdb(code, database_->file());
  database_->check_size(value);
  database_->check_is_value(key, to_bytes(value));
  return to_bytes(value);
}

std::optional<std::pair<std::string_view, ByteSpan>> LmdbSnapshot::next() {
  for (;;) {
    MDB_val key, value;
    const int code = mdb_cursor_get(cursor_.get(), &key, &value, MDB_NEXT);
    if (code == MDB_NOTFOUND) return std::nullopt;
    check_lmdb(code, database_->file());
    database_->check_size(key);
    database_->check_size(value);
    if (to_text(key) == kKeysKey) continue;
    database_->check_is_value(to_text(key), to_bytes(value));
    return std::pair(to_text(key), to_bytes(value));
  }
}

}  // namespace belfry::internal
