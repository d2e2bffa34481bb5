#include "belfry/data/storage/lmdb_data.h"

#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/data/storage/internal/lmdb.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/formats/array_info.h"
#include "belfry/formats/caffe.h"
#include "belfry/formats/msgpack.h"
#include "belfry/formats/pickle.h"

// A pass over an LMDB database: in the order of its keys by a cursor, or shuffled by look-ups of a list of
// keys, which comes from the options, from the entry that tensorpack's serializer writes (`__keys__`), or
// from one walk over the database. A pass reads one snapshot; values are views of the map until they are
// decoded.
namespace belfry {

using internal::LmdbContents, internal::LmdbSnapshot;

struct internal::LmdbContents {
  std::shared_ptr<const LmdbDatabase> database;
  std::vector<std::string> keys;  // for shuffled passes
  bool shuffle = true;
  uint64_t seed = 0;
};

namespace {

std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> formatted_keys(const std::string& format, int64_t count) {
  std::vector<std::string> keys;
  try {
    for (int64_t i = 0; i < count; ++i) keys.push_back(fmt::format(fmt::runtime(format), i));
  } catch (const fmt::format_error& e) {
    throw UsageError(fmt::format("[LMDBData] expected a format of one integer as {{:0>8d}}, got {}: {}",
                                 format, e.what()));
  }
  return keys;
}

std::vector<std::string> listed_keys(const std::string& file, ByteSpan serialized) {
  const std::string where = fmt::format("{}: {}", file, internal::kKeysKey);
  const PythonValue value =
      is_pickle(serialized) ? parse_pickle(where, serialized) : parse_msgpack(where, serialized);
  std::vector<std::string> keys;
  const auto* list = std::get_if<PythonValue::List>(&value.value);
  if (!list) throw DataError(where, "expected the list of all keys, got " + type_name(value));
  for (const PythonValue& key : *list) {
    const auto* bytes = std::get_if<ByteSpan>(&key.value);
    if (!bytes) throw DataError(where, "expected keys that are bytes, got " + type_name(key));
    keys.emplace_back(as_text(*bytes));
  }
  return keys;
}

std::vector<std::string> found_keys(LmdbSnapshot& snapshot) {
  std::vector<std::string> keys;
  while (const auto entry = snapshot.next()) keys.emplace_back(entry->first);
  return keys;
}

using Entry = std::pair<std::string_view, ByteSpan>;

// The entries of one pass.
class Entries {
 public:
  Entries(std::shared_ptr<const LmdbContents> contents, int64_t pass)
      : contents_(std::move(contents)), snapshot_(contents_->database) {
    order_.resize(contents_->keys.size());
    std::iota(order_.begin(), order_.end(), 0);
    Rng(contents_->seed, static_cast<uint64_t>(pass)).shuffle(order_);
  }

  std::optional<Entry> next() {
    if (!contents_->shuffle) return snapshot_.next();
    if (at_ == order_.size()) return std::nullopt;
    const std::string& key = contents_->keys[order_[at_++]];
    const std::optional<ByteSpan> value = snapshot_.get(key);
    if (!value) throw DataError(file(), fmt::format("expected the key {}, which is not there", key));
    return Entry(key, *value);
  }

  int64_t skip(int64_t count) {
    if (contents_->shuffle) {
      count = std::min(count, static_cast<int64_t>(order_.size() - at_));
      at_ += static_cast<size_t>(count);
      return count;
    }
    int64_t skipped = 0;
    while (skipped < count && snapshot_.next()) ++skipped;
    return skipped;
  }

  const std::string& file() const { return contents_->database->file(); }

 private:
  std::shared_ptr<const LmdbContents> contents_;
  LmdbSnapshot snapshot_;
  std::vector<uint64_t> order_;
  size_t at_ = 0;
};

struct DecodedPass {
  std::optional<Datapoint> next() {
    while (const std::optional<Entry> entry = entries.next()) {
      if (std::optional<Datapoint> datapoint = decoded(*entry)) return datapoint;
    }
    return std::nullopt;
  }

  int64_t skip(int64_t count) {
    if (!may_drop) return entries.skip(count);
    int64_t skipped = 0;
    while (skipped < count && next()) ++skipped;
    return skipped;
  }

  std::optional<Datapoint> decoded(const Entry& entry) const {
    try {
      std::optional<Datapoint> datapoint = (*decode)(entry.first, entry.second);
      if (!datapoint && !may_drop)
        throw UsageError("[LMDBDataDecoder] expected a datapoint, as may_drop is false, got none");
      return datapoint;
    } catch (...) {
      rethrow_with_context(fmt::format("{}: key {}", entries.file(), entry.first));
    }
  }

  Entries entries;
  std::shared_ptr<const LMDBDecode> decode;
  bool may_drop;
};

std::optional<Datapoint> decode_datum(std::string_view, ByteSpan value) {
  const CaffeDatum datum = parse_caffe_datum("value", as_text(value));
  const at::Tensor bytes = internal::tensor_of(PythonValue{as_byte_span(datum.data)}, "value");
  const at::Tensor label = at::scalar_tensor(datum.label, at::kLong);
  if (datum.encoded) return Datapoint{bytes, label};
  const std::vector<int64_t> shape{datum.channels, datum.height, datum.width};
  if (element_count(shape) != datum.data.size()) {
    throw DataError("value", fmt::format("expected the bytes of an image [{}], got {}",
                                         fmt::join(shape, ", "), datum.data.size()));
  }
  return Datapoint{bytes.view(shape).permute({1, 2, 0}).contiguous(), label};
}

}  // namespace

LMDBData::LMDBData(const std::string& path, LMDBDataOptions options) {
  auto contents = std::make_shared<LmdbContents>();
  contents->database = std::make_shared<const internal::LmdbDatabase>(path);
  contents->shuffle = options.shuffle;
  contents->seed = options.seed;
  LmdbSnapshot snapshot(contents->database);
  const std::optional<ByteSpan> listed = snapshot.get(internal::kKeysKey);
  size_ = contents->database->entries() - (listed ? 1 : 0);
  if (options.shuffle) {
    contents->keys = !options.keys.empty()         ? std::move(options.keys)
                     : !options.key_format.empty() ? formatted_keys(options.key_format, size_)
                     : listed                      ? listed_keys(contents->database->file(), *listed)
                                                   : found_keys(snapshot);
    size_ = static_cast<int64_t>(contents->keys.size());
  }
  contents_ = std::move(contents);
}

DataIterator LMDBData::start_pass(int64_t pass) {
  static const auto kAsTensors = std::make_shared<const LMDBDecode>([](std::string_view key, ByteSpan value) {
    return Datapoint{internal::tensor_of(PythonValue{key}, "key"),
                     internal::tensor_of(PythonValue{value}, "value")};
  });
  return DataIterator(DecodedPass{Entries(contents_, pass), kAsTensors, /*may_drop=*/false});
}

LMDBDataDecoder::LMDBDataDecoder(LMDBData data, LMDBDecode decode, LMDBDataDecoderOptions options)
    : data_(std::move(data)),
      decode_(std::make_shared<const LMDBDecode>(std::move(decode))),
      options_(options) {
  if (!*decode_) throw UsageError("[LMDBDataDecoder] expected a function, got an empty one");
}

DataIterator LMDBDataDecoder::start_pass(int64_t pass) {
  return DataIterator(DecodedPass{Entries(data_.contents_, pass), decode_, options_.may_drop});
}

LMDBDataDecoder CaffeLMDB(const std::string& path, LMDBDataOptions options) {
  return LMDBDataDecoder(LMDBData(path, std::move(options)), decode_datum, {.may_drop = false});
}

}  // namespace belfry
