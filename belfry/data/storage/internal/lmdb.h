#pragma once

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "belfry/base/file_system.h"

namespace belfry::internal {

/// The key under which tensorpack stores the list of all others.
inline constexpr std::string_view kKeysKey = "__keys__";

/// The file of a database: `path`, or data.mdb in it when it is a folder.
std::string lmdb_file(const std::string& path);

struct CloseLmdb {
  void operator()(MDB_env* environment) const { mdb_env_close(environment); }
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using LmdbEnvironment = std::unique_ptr<MDB_env, CloseLmdb>;
using LmdbTransaction = std::unique_ptr<MDB_txn, CloseLmdb>;
using LmdbCursor = std::unique_ptr<MDB_cursor, CloseLmdb>;

/// Throws DataError naming `file` unless `code` is LMDB's success.
void check_lmdb(int code, const std::string& file);

/// A database open for reading, without locks: nobody may write to it meanwhile. Safe to share between
/// threads. LMDB trusts its files: of damage, only that is seen which the checks here find cheaply.
class LmdbDatabase {
 public:
  /// Throws DataError when there is none, or the file is not an LMDB database or shorter than the database,
  /// which would otherwise kill the process at the first look beyond its end.
  explicit LmdbDatabase(const std::string& path);

  const std::string& file() const { return file_; }
  int64_t entries() const { return entries_; }
  MDB_dbi dbi() const { return dbi_; }
  LmdbTransaction begin() const;
  /// Throws DataError when `key` holds a database inside this one, whose record is not to be taken for data.
  void check_is_value(std::string_view key, ByteSpan value) const;
  /// Throws DataError when `bytes` are more than the file has.
  void check_size(const MDB_val& bytes) const;

 private:
  void check_meta_pages(const ReadableFile& file) const;

  std::string file_;
  LmdbEnvironment environment_;
  MDB_dbi dbi_ = 0;
  int64_t entries_ = 0;
  mutable std::mutex mutex_;  // of mdb_dbi_open
  uint64_t size_ = 0;
};

/// A view of an unchanging database. One thread at a time may use it.
class LmdbSnapshot {
 public:
  explicit LmdbSnapshot(std::shared_ptr<const LmdbDatabase> database);

  const LmdbDatabase& database() const { return *database_; }
  /// The value of `key`, a view that lives as long as the snapshot.
  std::optional<ByteSpan> get(std::string_view key) const;
  /// The next entry in the order of the keys, kKeysKey left out.
  std::optional<std::pair<std::string_view, ByteSpan>> next();

 private:
  std::shared_ptr<const LmdbDatabase> database_;
  LmdbTransaction transaction_;
  LmdbCursor cursor_;
};

}  // namespace belfry::internal
