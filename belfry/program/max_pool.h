#pragma once

#include <cstdint>
#include <memory>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// Windows over dense NHWC images.
struct PoolWindows {
  int64_t batch, height, width, channels;
  int64_t out_height, out_width;
  int64_t kernel_height, kernel_width;  ///< together at most 256 places
  int64_t stride_height, stride_width;
  int64_t top, left;  ///< places before the image, that no window counts
};

/// y: the largest value of each window, NaN where one is in it; places: its number among the window's places,
/// row by row, the first of equal ones. Dense; x and y float32 or bfloat16, both the same,
/// places uint8.
std::unique_ptr<Instruction> make_max_pool(const PoolWindows& windows, TensorView x, TensorView y,
                                           TensorView places);
/// Puts each gradient to its place, and zeros elsewhere.
std::unique_ptr<Instruction> make_max_pool_backward(const PoolWindows& windows, TensorView dy,
                                                    TensorView places, TensorView dx);

}  // namespace belfry::internal
