#include "belfry/data/storage/internal/shard_index.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/tfrecord.h"

namespace belfry::internal {
namespace {

std::string index_path(const std::string& folder) {
  return folder + "/index";
}

at::Tensor view_of(const void* data, size_t size, at::ScalarType type) {
  return at::from_blob(const_cast<void*>(data), {static_cast<int64_t>(size)}, at::TensorOptions(type));
}

Shard parse_shard(const std::string& record, const std::string& where) {
  const Datapoint entry = loads(as_byte_span(record), where);
  if (entry.size() != 2 || entry[0].scalar_type() != at::kByte || entry[0].dim() != 1 ||
      entry[1].scalar_type() != at::kLong || entry[1].dim() != 1) {
    throw DataError(where, "expected the name and the offsets of a shard, got another datapoint");
  }
  Shard shard;
  shard.name.assign(static_cast<const char*>(entry[0].const_data_ptr()), entry[0].nbytes());
  if (shard.name.empty() || shard.name.find('/') != std::string::npos || shard.name[0] == '.')
    throw DataError(where, fmt::format("expected a file's name, got '{}'", shard.name));
  const auto* offsets = entry[1].const_data_ptr<int64_t>();
  shard.offsets.assign(offsets, offsets + entry[1].numel());
  if (shard.offsets.empty() || shard.offsets[0] != 0)
    throw DataError(where, "expected offsets from 0 on, got others");
  for (size_t i = 1; i < shard.offsets.size(); ++i) {
    if (shard.offsets[i] < 0 || shard.offsets[i] - shard.offsets[i - 1] < int64_t{kRecordFrame})
      throw DataError(where, fmt::format("expected offsets that grow by {} at least", kRecordFrame));
  }
  return shard;
}

}  // namespace

void write_shard_index(const std::string& folder, const std::vector<Shard>& shards) {
  RecordWriter writer(index_path(folder));
  for (const Shard& shard : shards) {
    writer.append(dumps({view_of(shard.name.data(), shard.name.size(), at::kByte),
                         view_of(shard.offsets.data(), shard.offsets.size(), at::kLong)}));
  }
  writer.publish();
}

std::vector<Shard> read_shard_index(const std::string& folder) {
  const std::string path = index_path(folder);
  if (!FileSystem::posix().exists(path)) {
    throw DataError(
        path,
        "expected the index that ShardSerializer writes at last, got none: there is no such folder "
        "or the save was interrupted");
  }
  std::vector<Shard> shards;
  RecordReader reader(path);
  for (std::string record; reader.next(record);) {
    shards.push_back(parse_shard(record, fmt::format("{}: shard {}", path, shards.size())));
    const std::string file = folder + "/" + shards.back().name;
    const auto size = static_cast<int64_t>(FileSystem::posix().open(file)->size());
    if (size != shards.back().offsets.back()) {
      throw DataError(file, fmt::format("expected {} bytes, as the index says, got {}",
                                        shards.back().offsets.back(), size));
    }
  }
  return shards;
}

}  // namespace belfry::internal
