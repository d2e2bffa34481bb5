#include <ATen/ops/empty.h>

#include <map>
#include <span>

#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/formats/npy.h"
#include "belfry/formats/pickle.h"

// A dict of arrays that numpy.save has pickled: what old tensorpack kept weights in.
namespace belfry::internal {
namespace {

/// The file's bytes, and the dict that refers to them.
struct PickledDict {
  std::string content;
  PythonDict dict;
};

std::unique_ptr<PickledDict> read_dict(const std::string& path) {
  auto read = std::make_unique<PickledDict>();
  const auto file = FileSystem::posix().open(path);
  read->content.resize(file->size());
  file->read(0, std::as_writable_bytes(std::span(read->content)));
  const NpyHeader header = parse_npy_header(path, read->content);
  if (!is_pickled(header)) throw DataError(path, "expected a pickled dict of arrays, got an array");
  PythonValue value = parse_pickle(path, as_byte_span(read->content).subspan(header.size));
  auto* dict = std::get_if<PythonDict>(&value.value);
  if (!dict) throw DataError(path, "expected a pickled dict of arrays, got " + type_name(value));
  read->dict = std::move(*dict);
  return read;
}

std::vector<CheckpointEntry> entries_of(const PythonDict& dict) {
  std::vector<CheckpointEntry> entries;
  for (size_t i = 0; i < dict.keys.size(); ++i) {
    const auto* array = std::get_if<PythonArray>(&dict.values[i].value);
    const std::string name(dict.keys[i]);
    if (array) {
      entries.push_back(to_entry({name, array->dtype, array->shape}, to_string(array->dtype)));
    } else {
      entries.push_back(to_entry({name, DataType::kInvalid, {}}, type_name(dict.values[i])));
    }
  }
  return entries;
}

class NpyCheckpoint final : public CheckpointReader {
 public:
  NpyCheckpoint(const std::string& path, std::unique_ptr<PickledDict> read)
      : CheckpointReader(path, entries_of(read->dict)), read_(std::move(read)) {
    for (size_t i = 0; i < read_->dict.keys.size(); ++i) index_.emplace(read_->dict.keys[i], i);
  }

 private:
  at::Tensor read(const std::string& stored_name, const CheckpointEntry& entry) const override {
    at::Tensor out = at::empty(entry.shape, entry.dtype);
    const PythonValue& value = read_->dict.values[index_.at(stored_name)];
    copy_elements(std::get<PythonArray>(value.value), mutable_bytes_of(out));
    return out;
  }

  std::unique_ptr<PickledDict> read_;
  std::map<std::string, size_t> index_;  // of each key
};

}  // namespace

std::unique_ptr<CheckpointReader> open_npy(const std::string& path) {
  return std::make_unique<NpyCheckpoint>(path, read_dict(path));
}

}  // namespace belfry::internal
