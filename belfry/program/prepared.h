#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <vector>

#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// The values of a compiled graph's weights, shared by all its programs: as tensors, and packed as primitives
/// want them. They keep their places when their values change. The owner keeps runs and changes apart.
class Prepared {
 public:
  explicit Prepared(std::vector<TensorView> values);

  const std::vector<TensorView>& values() const { return values_; }
  int64_t bytes() const { return bytes_; }
  /// `value`, which stays where it is, described by `from`, in the layout `to`.
  dnnl::memory packed(const TensorView& value, const dnnl::memory::desc& from, const dnnl::memory::desc& to);
  /// To be called when there are new values in the places of the old.
  void pack();

 private:
  struct Packed {
    TensorView value;
    dnnl::memory plain, packed;
    dnnl::reorder reorder;
    void pack() const;
  };

  std::vector<TensorView> values_;
  int64_t bytes_ = 0;
  std::vector<Packed> packed_;
};

}  // namespace belfry::internal
