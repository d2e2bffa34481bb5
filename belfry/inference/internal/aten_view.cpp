#include "belfry/inference/internal/aten_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "belfry/base/error.h"

namespace belfry::internal {
namespace {

constexpr std::array<std::pair<DType, ElementType>, 15> kTypes = {{
    {kBool, ElementType::kBool},
    {kUInt8, ElementType::kUInt8},
    {kInt8, ElementType::kInt8},
    {kInt16, ElementType::kInt16},
    {kInt32, ElementType::kInt32},
    {kInt64, ElementType::kInt64},
    {DType::UInt16, ElementType::kUInt16},
    {DType::UInt32, ElementType::kUInt32},
    {DType::UInt64, ElementType::kUInt64},
    {kFloat16, ElementType::kFloat16},
    {kBFloat16, ElementType::kBFloat16},
    {kFloat32, ElementType::kFloat32},
    {kFloat64, ElementType::kFloat64},
    {kComplex64, ElementType::kComplex64},
    {kComplex128, ElementType::kComplex128},
}};

void point(const c10::Storage& storage, void* memory) {
  storage.unsafeGetStorageImpl()->set_data_ptr_noswap(c10::DataPtr(memory, c10::kCPU));
}

}  // namespace

ElementType element_type(DType dtype) {
  const auto* found = std::ranges::find(kTypes, dtype, &std::pair<DType, ElementType>::first);
  if (found == kTypes.end())
    throw UsageError(
        fmt::format("[compile] expected a dtype that compiled graphs have, got {}", to_string(dtype)));
  return found->second;
}

DType dtype_of(ElementType type) {
  return std::ranges::find(kTypes, type, &std::pair<DType, ElementType>::second)->first;
}

TensorView view_of(const at::Tensor& tensor) {
  const c10::Storage& storage = tensor.storage();
  auto memory = std::make_shared<Memory>(Memory{.data = storage.mutable_data(),
                                                .bytes = static_cast<int64_t>(storage.nbytes()),
                                                .owner = std::make_shared<const at::Tensor>(tensor)});
  return {std::move(memory), element_type(tensor.scalar_type()), tensor.sizes().vec(), tensor.strides().vec(),
          tensor.storage_offset()};
}

at::Tensor AtenTensors::on(const TensorView& view) {
  auto found = std::ranges::find(storages_, view.memory(), [](const auto& entry) { return entry.first; });
  if (found == storages_.end()) {
    storages_.emplace_back(
        view.memory(),
        c10::Storage(c10::Storage::use_byte_size_t(), static_cast<size_t>(view.memory()->bytes),
                     c10::DataPtr(view.memory()->data, c10::kCPU), /*allocator=*/nullptr,
                     /*resizable=*/false));
    found = storages_.end() - 1;
  }
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      c10::Storage(found->second), c10::DispatchKeySet(c10::DispatchKey::CPU),
      c10::scalarTypeToTypeMeta(dtype_of(view.type())));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(view.sizes(), view.strides(), view.offset());
  return tensor;
}

void AtenTensors::follow_memory() const {
  for (const auto& [memory, storage] : storages_) {
    if (storage.data() != memory->data) point(storage, memory->data);
  }
}

}  // namespace belfry::internal
