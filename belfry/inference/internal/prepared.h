#pragma once

#include <ATen/core/Tensor.h>

#include <dnnl.hpp>
#include <map>
#include <memory>
#include <vector>

namespace belfry::internal {

/// The values of a compiled graph's weights, shared by all its programs: as tensors, and packed as primitives
/// want them. They keep their places when their values change. The owner keeps runs and changes apart.
class Prepared {
 public:
  explicit Prepared(std::vector<at::Tensor> values);

  const std::vector<at::Tensor>& values() const { return values_; }
  int64_t bytes() const { return bytes_; }
  /// `value`, one of values(), described by `from`, in the layout `to`.
  dnnl::memory packed(const at::Tensor& value, const dnnl::memory::desc& from, const dnnl::memory::desc& to);
  /// New values, of the same sizes.
  void set(const std::vector<at::Tensor>& values);

 private:
  struct Packed {
    at::Tensor value;
    dnnl::memory plain, packed;
    dnnl::reorder reorder;
  };
  static void pack(const Packed& packed);

  std::vector<at::Tensor> values_;
  int64_t bytes_ = 0;
  std::vector<Packed> packed_;
};

/// The one CPU of oneDNN.
const dnnl::engine& cpu_engine();

}  // namespace belfry::internal
