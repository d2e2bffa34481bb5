#include <ATen/ops/empty.h>

#include "belfry/checkpoint/element_type.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/formats/safetensors.h"

namespace belfry::internal {
namespace {

std::vector<CheckpointEntry> entries_of(const SafetensorsReader& file) {
  std::vector<CheckpointEntry> entries;
  for (const ArrayInfo& info : file.entries()) entries.push_back(to_entry(info, file.type_name(info)));
  return entries;
}

class SafetensorsCheckpoint final : public CheckpointReader {
 public:
  SafetensorsCheckpoint(const std::string& path, SafetensorsReader file)
      : CheckpointReader(path, entries_of(file)), file_(std::move(file)) {}

 private:
  at::Tensor read(const std::string& stored_name, const CheckpointEntry& entry) const override {
    at::Tensor out = at::empty(entry.shape, entry.dtype);
    file_.read(stored_name, mutable_bytes_of(out));
    return out;
  }

  SafetensorsReader file_;
};

}  // namespace

std::unique_ptr<CheckpointReader> open_safetensors(const std::string& path) {
  return std::make_unique<SafetensorsCheckpoint>(path, SafetensorsReader(path));
}

void write_safetensors(const std::string& path, const NamedTensors& tensors) {
  std::vector<SafetensorsItem> items;
  for (const auto& [name, tensor] : tensors) {
    items.push_back({{name, to_stored(tensor.scalar_type(), name), tensor.sizes().vec()}, bytes_of(tensor)});
  }
  belfry::write_safetensors(path, std::move(items));
}

}  // namespace belfry::internal
