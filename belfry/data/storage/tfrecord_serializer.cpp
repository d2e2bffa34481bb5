#include "belfry/data/storage/tfrecord_serializer.h"

#include "belfry/data/storage/internal/record_pass.h"
#include "belfry/dataflow/serialize.h"

namespace belfry {
namespace {

class RecordFlow : public DataFlow {
 public:
  RecordFlow(std::string path, std::optional<int64_t> size) : path_(std::move(path)), size_(size) {}

  DataIterator start_pass(int64_t) override {
    return DataIterator(
        internal::RecordPass({path_}, [](const std::string& record, const std::string& where) {
          return loads(as_byte_span(record), where);
        }));
  }
  std::optional<int64_t> size() const override { return size_; }

 private:
  std::string path_;
  std::optional<int64_t> size_;
};

}  // namespace

void TFRecordSerializer::save(AnyDataFlow flow, const std::string& path) {
  RecordWriter writer(path);
  DataIterator datapoints = flow->iterator();
  for (const Datapoint& datapoint : datapoints) writer.append(dumps(datapoint));
  writer.publish();
}

std::shared_ptr<DataFlow> TFRecordSerializer::load(const std::string& path, TFRecordLoadOptions options) {
  FileSystem::posix().open(path);
  return std::make_shared<RecordFlow>(path, options.size);
}

}  // namespace belfry
