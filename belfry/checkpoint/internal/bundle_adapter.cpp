#include <ATen/ops/empty.h>

#include "belfry/checkpoint/element_type.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/bundle_writer.h"

namespace belfry::internal {
namespace {

std::vector<CheckpointEntry> entries_of(const BundleReader& bundle) {
  std::vector<CheckpointEntry> entries;
  for (const ArrayInfo& info : bundle.entries()) entries.push_back(to_entry(info, to_string(info.dtype)));
  return entries;
}

class BundleCheckpoint final : public CheckpointReader {
 public:
  explicit BundleCheckpoint(BundleReader bundle)
      : CheckpointReader(bundle.prefix(), entries_of(bundle)), bundle_(std::move(bundle)) {}

 private:
  at::Tensor read(const std::string& stored_name, const CheckpointEntry& entry) const override {
    bundle_.entry(stored_name);  // compares the shape with the file before memory is taken
    at::Tensor out = at::empty(entry.shape, entry.dtype);
    bundle_.read(stored_name, mutable_bytes_of(out));
    return out;
  }

  BundleReader bundle_;
};

}  // namespace

std::unique_ptr<CheckpointReader> open_bundle(const std::string& prefix) {
  return std::make_unique<BundleCheckpoint>(BundleReader(prefix));
}

void write_bundle(const std::string& prefix, const NamedTensors& tensors) {
  BundleWriter writer(prefix);
  for (const auto& [name, tensor] : tensors) {
    writer.add(name, to_stored(tensor.scalar_type(), name), tensor.sizes().vec(), bytes_of(tensor));
  }
  writer.finish();
}

}  // namespace belfry::internal
