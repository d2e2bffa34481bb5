#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <utility>
#include <vector>

#include "belfry/graph/types.h"
#include "belfry/program/tensor_view.h"

// The seam between programs, which know no LibTorch, and its tensors.

namespace belfry::internal {

/// Throws UsageError for a dtype that programs have no word for.
ElementType element_type(DType dtype);
DType dtype_of(ElementType type);

/// A view that keeps the memory of `tensor`, which is on the CPU.
TensorView view_of(const at::Tensor& tensor);

/// LibTorch's tensors on the memory of views, for an instruction that calls its operators.
class AtenTensors {
 public:
  /// Those that look at the same memory share a storage.
  at::Tensor on(const TensorView& view);
  /// To be called in each run: lets them look where the memory lies now.
  void follow_memory() const;

 private:
  std::vector<std::pair<std::shared_ptr<Memory>, c10::Storage>> storages_;
};

}  // namespace belfry::internal
