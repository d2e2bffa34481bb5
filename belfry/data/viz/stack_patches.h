#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace belfry::viz {

struct StackPatchesOptions {
  /// Pixels between images; nothing: 0.05 times the shorter side of an image, rounded down.
  std::optional<int64_t> border = {};
  /// Bring images of different shapes to the greatest height and width, each in the middle of its place; the
  /// result then has three channels.
  bool pad = false;
  /// What is where no image is: one value, or one for each of three channels.
  std::vector<uint8_t> bgcolor = {255};
};

/// Puts images into a grid, row by row: what to show of a GAN, or of filters. Images are [H, W] or [H, W, C]
/// of 1 or 3 channels, with values in [0, 255] of any real dtype, which are cut off at both ends and rounded
/// down. The result is a new uint8 [rows, columns, C], of three channels where images or background have.
///
/// Throws UsageError when there is no image, or more than nr_row * nr_col, for shapes that differ (without
/// pad) or are no image's, and for options out of range.
at::Tensor stack_patches(const std::vector<at::Tensor>& patches, int64_t nr_row, int64_t nr_col,
                         const StackPatchesOptions& options = {});
/// Of a batch, [N, H, W] or [N, H, W, C].
at::Tensor stack_patches(const at::Tensor& patches, int64_t nr_row, int64_t nr_col,
                         const StackPatchesOptions& options = {});

struct GenStackPatchesOptions {
  /// Of each grid; nothing: as many as fit into max_height and max_width pixels.
  std::optional<int64_t> nr_row = {}, nr_col = {};
  int64_t max_width = 1000, max_height = 1000;
  std::optional<int64_t> border = {};
  std::vector<uint8_t> bgcolor = {255};
};

/// As many grids as the images need, in order. Throws what stack_patches throws, and UsageError when not even
/// one image fits.
std::vector<at::Tensor> gen_stack_patches(const at::Tensor& patches,
                                          const GenStackPatchesOptions& options = {});

}  // namespace belfry::viz
