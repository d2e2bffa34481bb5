#include "belfry/data/storage/shard_serializer.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/data/storage/internal/shard_index.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/tfrecord.h"

namespace belfry {
namespace {

class Writer {
 public:
  Writer(const std::string& folder, int64_t shard_size) : folder_(folder), shard_size_(shard_size) {}
  ~Writer() {
    if (is_published_) return;
    std::error_code ignored;
    for (const internal::Shard& shard : shards_) std::filesystem::remove(path_of(shard), ignored);
  }

  void append(const std::string& record) {
    if (!writer_) {
      shards_.push_back({fmt::format("{:05}.tfrecord", shards_.size()), {0}});
      writer_.emplace(path_of(shards_.back()));
    }
    writer_->append(record);
    shards_.back().offsets.push_back(static_cast<int64_t>(writer_->offset()));
    if (shards_.back().offsets.back() >= shard_size_) finish_shard();
  }

  void publish() {
    if (writer_) finish_shard();
    internal::write_shard_index(folder_, shards_);
    is_published_ = true;
  }

 private:
  std::string path_of(const internal::Shard& shard) const { return folder_ + "/" + shard.name; }

  void finish_shard() {
    writer_->publish();
    writer_.reset();
  }

  std::string folder_;
  int64_t shard_size_;
  std::vector<internal::Shard> shards_;
  std::optional<RecordWriter> writer_;
  bool is_published_ = false;
};

}  // namespace

void ShardSerializer::save(AnyDataFlow flow, const std::string& folder, ShardSaveOptions options) {
  if (options.shard_size < 1)
    throw UsageError(fmt::format("[ShardSerializer] expected shard_size >= 1, got {}", options.shard_size));
  FileSystem& files = FileSystem::posix();
  files.make_dirs(folder);
  if (const std::vector<std::string> names = files.list(folder); !names.empty()) {
    throw UsageError(
        fmt::format("[ShardSerializer] expected an empty folder, got {} with {}", folder, names[0]));
  }
  Writer writer(folder, options.shard_size);
  DataIterator datapoints = flow->iterator();
  for (const Datapoint& datapoint : datapoints) writer.append(dumps(datapoint));
  writer.publish();
}

}  // namespace belfry
