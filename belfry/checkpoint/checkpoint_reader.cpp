#include "belfry/checkpoint/checkpoint_reader.h"

#include <ATen/ops/ne.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/checkpoint/variable_names.h"

namespace belfry {
namespace internal {

CheckpointEntry to_entry(const ArrayInfo& info, std::string stored_dtype) {
  return {info.name, info.shape, to_dtype(info.dtype), std::move(stored_dtype)};
}

ByteSpan bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

MutableByteSpan mutable_bytes_of(at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

}  // namespace internal

CheckpointReader::CheckpointReader(std::string path, std::vector<CheckpointEntry> entries)
    : path_(std::move(path)), entries_(std::move(entries)) {
  for (CheckpointEntry& entry : entries_) {
    std::string stored_name = std::move(entry.name);
    entry.name = variable_name(stored_name);
    if (!stored_names_.emplace(entry.name, std::move(stored_name)).second) {
      throw DataError(path_, fmt::format("expected each name once, got both {0} and {0}:0", entry.name));
    }
  }
  std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

const CheckpointEntry* CheckpointReader::find(std::string_view name) const {
  const std::string wanted = variable_name(name);
  auto place = std::lower_bound(entries_.begin(), entries_.end(), wanted,
                                [](const auto& entry, const auto& key) { return entry.name < key; });
  return place != entries_.end() && place->name == wanted ? &*place : nullptr;
}

at::Tensor CheckpointReader::tensor(std::string_view name) const {
  const CheckpointEntry* entry = find(name);
  if (!entry) {
    throw DataError(path_, fmt::format("expected a tensor named {}, got none among {}", variable_name(name),
                                       entries_.size()));
  }
  if (entry->dtype == DType::Undefined) {
    throw DataError(path_, fmt::format("[tensor {}] expected a dtype that LibTorch has, got {}", entry->name,
                                       entry->stored_dtype));
  }
  const at::Tensor value = read(stored_names_.find(entry->name)->second, *entry);
  // Files may have any byte for true, LibTorch must not see others than 1.
  return entry->dtype == kBool ? value.view(kUInt8).ne(0) : value;
}

std::unique_ptr<CheckpointReader> CheckpointReader::open(const std::string& path) {
  if (path.ends_with(".npz")) return internal::open_npz(path);
  if (path.ends_with(".safetensors")) return internal::open_safetensors(path);
  if (path.ends_with(".npy")) return internal::open_npy(path);
  if (path.ends_with(".caffemodel")) return internal::open_caffe_model(path);
  return internal::open_bundle(resolve_checkpoint(path));
}

std::map<std::string, at::Tensor> load_checkpoint(const std::string& path) {
  auto reader = CheckpointReader::open(path);
  std::map<std::string, at::Tensor> tensors;
  for (const CheckpointEntry& entry : reader->entries()) {
    if (entry.dtype != DType::Undefined) tensors.emplace(entry.name, reader->tensor(entry.name));
  }
  return tensors;
}

void save_checkpoint(const std::string& path, const std::map<std::string, at::Tensor>& tensors) {
  internal::NamedTensors dense;
  for (const auto& [name, tensor] : tensors) {
    const bool added = dense.emplace(variable_name(name), tensor.detach().cpu().contiguous()).second;
    if (!added)
      throw UsageError(fmt::format("[save_checkpoint {}] expected each name once, got {} again", path, name));
  }
  if (path.ends_with(".npz")) return internal::write_npz(path, dense);
  if (path.ends_with(".safetensors")) return internal::write_safetensors(path, dense);
  for (const char* suffix : {".npy", ".caffemodel"}) {
    if (path.ends_with(suffix)) {
      throw UsageError(
          fmt::format("[save_checkpoint {}] expected .npz, .safetensors or a TensorFlow prefix, got {}, "
                      "which is read only",
                      path, suffix));
    }
  }
  internal::write_bundle(path, dense);
}

}  // namespace belfry
