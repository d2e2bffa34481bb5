#include "belfry/data/viz/stack_patches.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "belfry/base/error.h"

namespace belfry::viz {
namespace {

struct Grid {
  int64_t patch_h, patch_w, rows, columns, border, channels;
};

std::string describe(const at::Tensor& tensor) {
  return tensor.defined()
             ? fmt::format("{} [{}]", c10::toString(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "))
             : "none";
}

/// uint8 [H, W, C].
at::Tensor as_image(const at::Tensor& patch) {
  const bool has_form =
      patch.defined() && !patch.is_complex() &&
      (patch.dim() == 2 || (patch.dim() == 3 && (patch.size(2) == 1 || patch.size(2) == 3)));
  if (!has_form || patch.numel() == 0) {
    throw UsageError(
        fmt::format("[stack_patches] expected images [H, W] or [H, W, 1 or 3], got {}", describe(patch)));
  }
  const at::Tensor image = patch.dim() == 2 ? patch.unsqueeze(2) : patch;
  return image.scalar_type() == at::kByte ? image : image.clamp(0, 255).to(at::kByte);
}

at::Tensor background(const std::vector<uint8_t>& color, int64_t h, int64_t w, int64_t channels) {
  const at::Tensor values = at::tensor(at::ArrayRef<uint8_t>(color), at::kByte);
  return values.expand({h, w, channels}).contiguous();
}

void check_color(const std::vector<uint8_t>& color) {
  if (color.size() != 1 && color.size() != 3)
    throw UsageError(fmt::format("[stack_patches] expected 1 or 3 values as bgcolor, got {}", color.size()));
}

std::vector<at::Tensor> as_images(const std::vector<at::Tensor>& patches,
                                  const StackPatchesOptions& options) {
  check_color(options.bgcolor);
  if (patches.empty()) throw UsageError("[stack_patches] expected at least one image, got none");
  std::vector<at::Tensor> images;
  for (const at::Tensor& patch : patches) images.push_back(as_image(patch));
  if (!options.pad) {
    for (const at::Tensor& image : images) {
      if (image.sizes() != images[0].sizes()) {
        throw UsageError(
            fmt::format("[stack_patches] expected images of one shape, or the option pad, got {} and {}",
                        describe(images[0]), describe(image)));
      }
    }
    return images;
  }
  int64_t h = 0, w = 0;
  for (const at::Tensor& image : images) {
    h = std::max(h, image.size(0));
    w = std::max(w, image.size(1));
  }
  for (at::Tensor& image : images) {
    at::Tensor padded = background(options.bgcolor, h, w, 3);
    const int64_t top = (h - image.size(0)) / 2, left = (w - image.size(1)) / 2;
    padded.narrow(0, top, image.size(0)).narrow(1, left, image.size(1)).copy_(image);
    image = padded;
  }
  return images;
}

Grid grid_for(const at::Tensor& image, std::optional<int64_t> border, const std::vector<uint8_t>& bgcolor) {
  const int64_t h = image.size(0), w = image.size(1);
  Grid grid{h, w, 0, 0, border.value_or(static_cast<int64_t>(0.05 * static_cast<double>(std::min(h, w)))), 0};
  if (grid.border < 0)
    throw UsageError(fmt::format("[stack_patches] expected a border >= 0, got {}", grid.border));
  grid.channels = std::max<int64_t>(image.size(2), static_cast<int64_t>(bgcolor.size()));
  return grid;
}

at::Tensor draw(const std::vector<at::Tensor>& images, const Grid& grid,
                const std::vector<uint8_t>& bgcolor) {
  const auto count = static_cast<int64_t>(images.size());
  if (grid.rows < 1 || grid.columns < 1 || grid.rows * grid.columns < count) {
    throw UsageError(fmt::format("[stack_patches] expected rows and columns for {} images, got {} x {}",
                                 count, grid.rows, grid.columns));
  }
  at::Tensor canvas = background(bgcolor, grid.rows * (grid.patch_h + grid.border) - grid.border,
                                 grid.columns * (grid.patch_w + grid.border) - grid.border, grid.channels);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = i / grid.columns * (grid.patch_h + grid.border);
    const int64_t left = i % grid.columns * (grid.patch_w + grid.border);
    canvas.narrow(0, top, grid.patch_h).narrow(1, left, grid.patch_w).copy_(images[static_cast<size_t>(i)]);
  }
  return canvas;
}

std::vector<at::Tensor> parts_of(const at::Tensor& batch) {
  if (!batch.defined() || (batch.dim() != 3 && batch.dim() != 4)) {
    throw UsageError(
        fmt::format("[stack_patches] expected a batch [N, H, W] or [N, H, W, C], got {}", describe(batch)));
  }
  return batch.unbind();
}

}  // namespace

at::Tensor stack_patches(const std::vector<at::Tensor>& patches, int64_t nr_row, int64_t nr_col,
                         const StackPatchesOptions& options) {
  const std::vector<at::Tensor> images = as_images(patches, options);
  Grid grid = grid_for(images[0], options.border, options.bgcolor);
  grid.rows = nr_row;
  grid.columns = nr_col;
  return draw(images, grid, options.bgcolor);
}

at::Tensor stack_patches(const at::Tensor& patches, int64_t nr_row, int64_t nr_col,
                         const StackPatchesOptions& options) {
  return stack_patches(parts_of(patches), nr_row, nr_col, options);
}

std::vector<at::Tensor> gen_stack_patches(const at::Tensor& patches, const GenStackPatchesOptions& options) {
  const std::vector<at::Tensor> images =
      as_images(parts_of(patches), {.border = options.border, .bgcolor = options.bgcolor});
  Grid grid = grid_for(images[0], options.border, options.bgcolor);
  grid.rows = options.nr_row.value_or(options.max_height / (grid.patch_h + grid.border));
  grid.columns = options.nr_col.value_or(options.max_width / (grid.patch_w + grid.border));
  if (grid.rows < 1 || grid.columns < 1) {
    throw UsageError(fmt::format("[gen_stack_patches] expected room for an image, got {} rows and {} columns",
                                 grid.rows, grid.columns));
  }
  std::vector<at::Tensor> grids;
  const auto of_each = static_cast<size_t>(grid.rows * grid.columns);
  for (size_t begin = 0; begin < images.size(); begin += of_each) {
    const size_t end = std::min(images.size(), begin + of_each);
    grids.push_back(draw({images.begin() + static_cast<std::ptrdiff_t>(begin),
                          images.begin() + static_cast<std::ptrdiff_t>(end)},
                         grid, options.bgcolor));
  }
  return grids;
}

}  // namespace belfry::viz
