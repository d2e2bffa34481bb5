#pragma once

#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// The way from the elements of one tensor to those of another: worked out once, gone many times.
class CopyValues {
 public:
  /// Requires: both have the same type and sizes, and do not overlap; no two elements of `to` lie in one
  /// place.
  CopyValues(TensorView from, TensorView to);
  void run() const;

 private:
  struct Axis {
    int64_t size = 1, from = 0, to = 0;  ///< with its strides in both
  };
  void arrange(std::vector<Axis> axes);
  template <typename T>
  void run_as() const;
  template <typename T>
  void copy_block(int64_t block) const;

  TensorView from_, to_;
  std::vector<Axis> outer_;
  Axis rows_, columns_;  ///< the two axes within which neighbours lie, in `from` and in `to`
  int64_t block_rows_ = 1, block_columns_ = 1, row_blocks_ = 1, column_blocks_ = 1, blocks_ = 0;
};

/// Sets each element of `to`, which is contiguous, to the only one of `value`, of the same type.
void fill_values(const TensorView& value, const TensorView& to);

}  // namespace belfry::internal
