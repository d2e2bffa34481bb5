#include "belfry/data/storage/lmdb_serializer.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/data/storage/internal/lmdb.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/msgpack.h"

namespace belfry {
namespace {

// Only address space; the file grows with what is in it. A process that may have little (ulimit -v) gets
// less.
constexpr size_t kMaxSize = size_t{2} << 40;
constexpr size_t kMinSize = size_t{64} << 20;

std::string key_of(int64_t index) {
  return fmt::format("{:08}", index);
}

// A database that is being written to a temporary file.
class Writer {
 public:
  explicit Writer(std::string path) : path_(std::move(path)), temporary_(FileSystem::posix(), path_) {
    for (size_t size = kMaxSize; !open(size); size /= 2) {
    }
    begin();
    check(mdb_dbi_open(transaction_.get(), nullptr, 0, &dbi_));
  }

  void put(std::string_view key, std::string_view value) {
    MDB_val lmdb_key{key.size(), const_cast<char*>(key.data())};
    MDB_val lmdb_value{value.size(), const_cast<char*>(value.data())};
    check(mdb_put(transaction_.get(), dbi_, &lmdb_key, &lmdb_value, 0));
  }

  void commit() {
    check(mdb_txn_commit(transaction_.release()));
    begin();
  }

  void publish() {
    check(mdb_txn_commit(transaction_.release()));
    check(mdb_env_sync(environment_.get(), /*force=*/1));
    environment_.reset();
    temporary_.publish();
  }

 private:
  void check(int code) const { internal::check_lmdb(code, path_); }

  // False when there is no address space for `size`, and less may do.
  bool open(size_t size) {
    MDB_env* environment = nullptr;
    check(mdb_env_create(&environment));
    environment_.reset(environment);
    check(mdb_env_set_mapsize(environment, size));
    // Nobody else knows the file, and it counts only once all of it is synced.
    constexpr unsigned kFlags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC;
    const int code = mdb_env_open(environment, temporary_.path().c_str(), kFlags, 0666);
    if (code == ENOMEM && size > kMinSize) return false;
    check(code);
    return true;
  }

  void begin() {
    MDB_txn* transaction = nullptr;
    check(mdb_txn_begin(environment_.get(), nullptr, 0, &transaction));
    transaction_.reset(transaction);
  }

  std::string path_;
  TemporaryPath temporary_;
  internal::LmdbEnvironment environment_;
  internal::LmdbTransaction transaction_;
  MDB_dbi dbi_ = 0;
};

}  // namespace

void LMDBSerializer::save(AnyDataFlow flow, const std::string& path, LMDBSaveOptions options) {
  if (options.write_frequency < 1) {
    throw UsageError(
        fmt::format("[LMDBSerializer] expected write_frequency >= 1, got {}", options.write_frequency));
  }
  const std::string file = internal::lmdb_file(path);
  if (std::filesystem::exists(file))
    throw UsageError(fmt::format("[LMDBSerializer] expected a new file, got {}, which exists", file));
  Writer writer(file);
  int64_t count = 0;
  DataIterator datapoints = flow->iterator();
  for (const Datapoint& datapoint : datapoints) {
    writer.put(key_of(count++), dumps(datapoint));
    if (count % options.write_frequency == 0) writer.commit();
  }
  MsgpackWriter keys;
  keys.list(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) keys.bytes(as_byte_span(key_of(i)));
  writer.put(internal::kKeysKey, keys.take());
  writer.publish();
}

LMDBDataDecoder LMDBSerializer::load(const std::string& path, LMDBLoadOptions options) {
  return LMDBDataDecoder(LMDBData(path, {.shuffle = options.shuffle, .seed = options.seed}),
                         [](std::string_view, ByteSpan value) { return loads(value, "value"); },
                         {.may_drop = false});
}

}  // namespace belfry
