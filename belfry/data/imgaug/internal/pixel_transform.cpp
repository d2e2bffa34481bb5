#include "belfry/data/imgaug/internal/pixel_transform.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/core/hal/hal.hpp>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/mat.h"
#include "belfry/data/imgaug/internal/run_wide.h"

// Steps of one pixel each, fused: an image goes by in tiles of 1024 pixels, converted to planes of float32,
// through all steps, and back. A step that needs sums over the image starts one more pass, in which the
// steps before it are computed again. Invariant: results are those of the steps one by one, with the image
// stored between them.
namespace belfry::imgaug::internal {
namespace {

// Three planes of floats stay in the first-level cache.
constexpr int64_t kTileSize = 1024;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Buffers {
  alignas(64) float planes[3][kTileSize];
  alignas(64) uint8_t bytes[3][kTileSize];
};

void load(const at::Tensor& image, int64_t offset, Buffers& buffers, const Tile& tile) {
  const int count = static_cast<int>(tile.size);
  if (image.scalar_type() == at::kFloat) {
    const float* from = image.const_data_ptr<float>() + offset;
    if (tile.channels == 1) {
      std::copy_n(from, count, buffers.planes[0]);
    } else {
      int* planes[3];
      for (int c = 0; c < 3; ++c) planes[c] = reinterpret_cast<int*>(buffers.planes[c]);
      cv::hal::split32s(reinterpret_cast<const int*>(from), planes, count, 3);
    }
    return;
  }
  const uint8_t* from = image.const_data_ptr<uint8_t>() + offset;
  const uint8_t* bytes[3] = {from, buffers.bytes[1], buffers.bytes[2]};
  if (tile.channels == 3) {
    uint8_t* planes[3] = {buffers.bytes[0], buffers.bytes[1], buffers.bytes[2]};
    cv::hal::split8u(from, planes, count, 3);
    bytes[0] = buffers.bytes[0];
  }
  for (int64_t c = 0; c < tile.channels; ++c) {
    run_wide([count, from = bytes[c], to = buffers.planes[c]] {
      for (int i = 0; i < count; ++i) to[i] = from[i];
    });
  }
}

// As numpy's astype. A loop of its own: together with clipping it is not vectorized.
void truncate(const Tile& tile) {
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) {
    run_wide([size = tile.size, plane = tile.planes[c]] {
      for (int64_t i = 0; i < size; ++i) plane[i] = static_cast<float>(static_cast<int>(plane[i]));
    });
  }
}

void store(const at::Tensor& image, int64_t offset, Buffers& buffers, const Tile& tile) {
  const int count = static_cast<int>(tile.size);
  if (image.scalar_type() == at::kFloat) {
    float* to = image.mutable_data_ptr<float>() + offset;
    if (tile.channels == 1) {
      std::copy_n(buffers.planes[0], count, to);
    } else {
      const int* planes[3];
      for (int c = 0; c < 3; ++c) planes[c] = reinterpret_cast<const int*>(buffers.planes[c]);
      cv::hal::merge32s(planes, reinterpret_cast<int*>(to), count, 3);
    }
    return;
  }
  uint8_t* to = image.mutable_data_ptr<uint8_t>() + offset;
  uint8_t* bytes[3] = {tile.channels == 1 ? to : buffers.bytes[0], buffers.bytes[1], buffers.bytes[2]};
  for (int64_t c = 0; c < tile.channels; ++c) {
    for (int i = 0; i < count; ++i)
      bytes[c][i] = static_cast<uint8_t>(static_cast<int>(buffers.planes[c][i]));
  }
  if (tile.channels == 3) {
    const uint8_t* planes[3] = {bytes[0], bytes[1], bytes[2]};
    cv::hal::merge8u(planes, to, count, 3);
  }
}

void add(ImageSums& sums, const Tile& tile, PixelTransform::Needs needs) {
  using Needs = PixelTransform::Needs;
  sums.pixels += tile.size;
  for (int64_t c = 0; c < tile.channels; ++c) {
    const size_t i = static_cast<size_t>(c);
    const cv::Mat plane(1, static_cast<int>(tile.size), CV_32F, tile.planes[i]);
    if (needs == Needs::kExtremes) {
      double min = 0, max = 0;
      cv::minMaxIdx(plane, &min, &max);
      sums.min[i] = std::min(sums.min[i], min);
      sums.max[i] = std::max(sums.max[i], max);
      continue;
    }
    sums.sum[i] += cv::sum(plane)[0];
    if (needs == Needs::kSumAndSquares) sums.square_sum[i] += cv::norm(plane, cv::NORM_L2SQR);
  }
}

class PixelPasses {
 public:
  PixelPasses(std::span<const PixelTransform* const> steps, const at::Tensor& image)
      : steps_(steps), image_(with_dense_rows(image)), sums_(steps.size()), dtypes_{image.scalar_type()} {
    ImageSpec spec = spec_of(image);
    // Where channels do not matter, the values of a row are one long channel.
    channels_ = std::ranges::all_of(steps, &PixelTransform::is_per_value) ? 1 : spec.channels;
    if (channels_ != 1 && channels_ != 3) {
      const auto step = std::ranges::find_if_not(steps, &PixelTransform::is_per_value);
      throw DataError(fmt::format("[{}] expected an image of 1 or 3 channels, got {}", (*step)->description(),
                                  channels_));
    }
    row_ = spec.w * spec.channels / channels_;
    rows_ = spec.h;
    if (image_.is_contiguous()) row_ *= std::exchange(rows_, 1);
    for (const PixelTransform* step : steps) {
      step->check(spec);
      spec = step->output_spec(spec);
      dtypes_.push_back(spec.dtype);
    }
  }

  at::Tensor run() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const PixelTransform::Needs needs = steps_[i]->needs();
      if (needs == PixelTransform::Needs::kNothing) continue;
      ImageSums& sums = sums_[i];
      sums.min.fill(kInfinity);
      sums.max.fill(-kInfinity);
      pass(i, [&](const Tile& tile, int64_t) { add(sums, tile, needs); });
    }
    at::Tensor result = at::empty(image_.sizes(), image_.options().dtype(dtypes_.back()));
    pass(steps_.size(), [&](const Tile& tile, int64_t offset) { store(result, offset, buffers_, tile); });
    return result;
  }

 private:
  // The first `count` steps on each tile, then `use(tile, where it is in a contiguous image)`.
  template <typename Use>
  void pass(size_t count, Use use) {
    const int64_t stride = rows_ == 1 ? 0 : image_.stride(0);
    for (int64_t y = 0; y < rows_; ++y) {
      for (int64_t x = 0; x < row_; x += kTileSize) {
        Tile tile{.planes = {buffers_.planes[0], buffers_.planes[1], buffers_.planes[2]},
                  .channels = channels_,
                  .size = std::min(kTileSize, row_ - x)};
        load(image_, y * stride + x * channels_, buffers_, tile);
        for (size_t i = 0; i < count; ++i) {
          tile.dtype = dtypes_[i];
          const bool is_byte = dtypes_[i + 1] == at::kByte;
          const bool clips = is_byte || steps_[i]->clips();
          tile.low = clips ? 0 : -kInfinity;
          tile.high = clips ? 255 : kInfinity;
          steps_[i]->apply(tile, sums_[i]);
          if (is_byte) truncate(tile);
        }
        use(tile, (y * row_ + x) * channels_);
      }
    }
  }

  std::span<const PixelTransform* const> steps_;
  at::Tensor image_;
  std::vector<ImageSums> sums_;
  std::vector<at::ScalarType> dtypes_;  // of the image before each step, and after the last
  int64_t channels_, row_, rows_;
  Buffers buffers_;
};

}  // namespace

ImageSpec PixelTransform::output_spec(const ImageSpec& input) const {
  ImageSpec spec = input;
  spec.dtype = output_dtype(input.dtype);
  return spec;
}

at::Tensor PixelTransform::transform_image(const at::Tensor& image) const {
  const PixelTransform* const self = this;
  return apply_pixel_transforms({&self, 1}, image);
}

void scale_shift(const Tile& tile, size_t channel, float scale, float shift) {
  run_wide([size = tile.size, low = tile.low, high = tile.high, plane = tile.planes[channel], scale, shift] {
    for (int64_t i = 0; i < size; ++i) plane[i] = std::min(std::max(plane[i] * scale + shift, low), high);
  });
}

void clip_to_bytes(const Tile& tile) {
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) {
    run_wide([size = tile.size, plane = tile.planes[c]] {
      for (int64_t i = 0; i < size; ++i) plane[i] = std::min(std::max(0.0f, plane[i]), 255.0f);
    });
  }
}

at::Tensor apply_pixel_transforms(std::span<const PixelTransform* const> steps, const at::Tensor& image) {
  return PixelPasses(steps, image).run();
}

}  // namespace belfry::imgaug::internal
