#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "belfry/base/file_system.h"
#include "belfry/dataflow/dataflow.h"

namespace belfry {

namespace internal {
struct LmdbContents;
}

struct LMDBDataOptions {
  /// Whether each pass is in a new random order; otherwise it is in that of the keys.
  bool shuffle = true;
  /// Where the keys for a shuffled pass come from: this list; or else this format (`{:0>8d}`) of the numbers
  /// from 0 on; or else the database's `__keys__`, which LMDBSerializer writes; or else a pass over the
  /// database, which is slow when it is large.
  std::vector<std::string> keys = {};
  std::string key_format = {};
  uint64_t seed = 0;
};

/// Produces the entries of an LMDB database as {key, value}, both uint8 [length]. The entry `__keys__` is
/// left out. `LMDBDataDecoder` and `LMDBSerializer::load` make something of the values without this copy.
///
/// Reads the file without LMDB's locks, as tensorpack does: nobody may write to it meanwhile. Passes of one
/// object may run in different threads. A pass can be continued in the middle at no cost.
///
/// For trusted files only: LMDB has no checksums and believes what its pages say. A file that is no database,
/// is cut off, or has damaged first pages or entries larger than itself is a DataError; other damage may show
/// as wrong values or end the process.
class LMDBData : public DataFlow {
 public:
  /// `path` is a file, or a folder with a data.mdb. Throws DataError when it is not an LMDB database or cut
  /// off, and UsageError when `key_format` is no format of one integer.
  explicit LMDBData(const std::string& path, LMDBDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return size_; }

 private:
  friend class LMDBDataDecoder;

  std::shared_ptr<const internal::LmdbContents> contents_;
  int64_t size_ = 0;
};

/// What LMDBDataDecoder calls: makes a datapoint of an entry, or drops it with nullopt. The arguments are
/// views that live until it returns.
using LMDBDecode = std::function<std::optional<Datapoint>(std::string_view key, ByteSpan value)>;

struct LMDBDataDecoderOptions {
  /// False promises that the function never drops an entry; a pass is then continued in the middle at no
  /// cost.
  bool may_drop = true;
};

/// Produces what `decode` makes of the entries of a database. Its exceptions gain the file and the key; they
/// end the pass.
class LMDBDataDecoder : public DataFlow {
 public:
  /// Throws UsageError when `decode` is empty.
  LMDBDataDecoder(LMDBData data, LMDBDecode decode, LMDBDataDecoderOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  /// That of the data: more than come when `decode` drops some.
  std::optional<int64_t> size() const override { return data_.size(); }

 private:
  LMDBData data_;
  std::shared_ptr<const LMDBDecode> decode_;
  LMDBDataDecoderOptions options_;
};

/// The images of a database that Caffe wrote, in which each value is a caffe.Datum. Datapoint: {image uint8
/// [height, width, channels], or the bytes uint8 [size] of an encoded one, label int64 scalar}. Channels are
/// in Caffe's order, which is BGR for what OpenCV had decoded. Throws as LMDBData does; a value that is no
/// Datum ends the pass with an error that names file and key.
LMDBDataDecoder CaffeLMDB(const std::string& path, LMDBDataOptions options = {});

}  // namespace belfry
