#include <ATen/ops/empty.h>

#include <mutex>

#include "belfry/checkpoint/element_type.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/formats/npz.h"

namespace belfry::internal {
namespace {

std::vector<CheckpointEntry> entries_of(const NpzReader& archive) {
  std::vector<CheckpointEntry> entries;
  for (const ArrayInfo& info : archive.entries()) entries.push_back(to_entry(info, archive.type_name(info)));
  return entries;
}

class NpzCheckpoint final : public CheckpointReader {
 public:
  NpzCheckpoint(const std::string& path, NpzReader archive)
      : CheckpointReader(path, entries_of(archive)), archive_(std::move(archive)) {}

 private:
  at::Tensor read(const std::string& stored_name, const CheckpointEntry& entry) const override {
    std::lock_guard lock(mutex_);  // the archive has one position
    at::Tensor out = at::empty(entry.shape, entry.dtype);
    archive_.read(stored_name, mutable_bytes_of(out));
    return out;
  }

  mutable std::mutex mutex_;
  NpzReader archive_;
};

}  // namespace

std::unique_ptr<CheckpointReader> open_npz(const std::string& path) {
  return std::make_unique<NpzCheckpoint>(path, NpzReader(path));
}

void write_npz(const std::string& path, const NamedTensors& tensors) {
  NpzWriter writer(path);
  for (const auto& [name, tensor] : tensors) {
    writer.add(name, to_stored(tensor.scalar_type(), name), tensor.sizes().vec(), bytes_of(tensor));
  }
  writer.finish();
}

}  // namespace belfry::internal
