#include "belfry/data/imgaug/internal/color_transforms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <numeric>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/run_wide.h"

// Formulas of tensorpack's imgaug/imgproc.py, computed in float32 on planes of a tile. Where tensorpack
// calls OpenCV (gray of bytes), the numbers are OpenCV's.
namespace belfry::imgaug::internal {
namespace {

// Red, green and blue of OpenCV's gray.
constexpr std::array<float, 3> kGray = {0.299f, 0.587f, 0.114f};
// OpenCV computes the gray of bytes with integers: these, in units of 2^-15. float32 holds their sums
// exactly.
constexpr std::array<float, 3> kByteGray = {9798, 19235, 3735};
constexpr float kByteGrayUnit = 1.0f / 32768;

std::array<float, 3> in_order(std::array<float, 3> weights, bool rgb) {
  if (!rgb) std::swap(weights[0], weights[2]);
  return weights;
}

void check_three_channels(const char* who, const ImageSpec& image) {
  if (image.channels == 3) return;
  throw DataError(fmt::format("[{}] expected an image of 3 channels, got {}", who, image.channels));
}

double sum_of(const std::array<double, 3>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

ScaleShiftTransform::ScaleShiftTransform(std::string name, float scale, float shift, bool clips)
    : PixelTransform(fmt::format("{}({}, clip={})", name, scale == 1 ? shift : scale, clips), clips),
      scale_(scale),
      shift_{shift, shift, shift},
      is_same_(true) {}

ScaleShiftTransform::ScaleShiftTransform(std::string name, const std::array<float, 3>& shift, bool clips)
    : PixelTransform(fmt::format("{}([{}], clip={})", name, fmt::join(shift, ", "), clips), clips),
      scale_(1),
      shift_(shift),
      is_same_(false) {}

void ScaleShiftTransform::check(const ImageSpec& image) const {
  if (!is_same_) check_three_channels(description().c_str(), image);
}

void ScaleShiftTransform::apply(const Tile& tile, const ImageSums&) const {
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) scale_shift(tile, c, scale_, shift_[c]);
}

ContrastTransform::ContrastTransform(float factor, std::optional<bool> rgb, bool clips)
    : PixelTransform(fmt::format("Contrast({}, rgb={}, clip={})", factor,
                                 rgb ? (*rgb ? "true" : "false") : "none", clips),
                     clips),
      factor_(factor),
      rgb_(rgb) {}

void ContrastTransform::apply(const Tile& tile, const ImageSums& sums) const {
  const auto pixels = static_cast<double>(sums.pixels);
  std::array<double, 3> mean = {sums.sum[0] / pixels, sums.sum[1] / pixels, sums.sum[2] / pixels};
  if (rgb_ && tile.channels == 3) {
    const std::array<float, 3> weights = in_order(kGray, *rgb_);
    mean.fill(std::inner_product(mean.begin(), mean.end(), weights.begin(), 0.0));
  }
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) {
    scale_shift(tile, c, factor_, static_cast<float>(mean[c] * (1 - double{factor_})));
  }
}

SaturationTransform::SaturationTransform(float factor, bool rgb, bool clips)
    : PixelTransform(fmt::format("Saturation({}, rgb={}, clip={})", factor, rgb, clips), clips),
      factor_(factor),
      rgb_(rgb) {}

void SaturationTransform::check(const ImageSpec& image) const {
  check_three_channels("Saturation", image);
}

void SaturationTransform::apply(const Tile& tile, const ImageSums&) const {
  const bool is_byte = tile.dtype == at::kByte;
  const std::array<float, 3> weights = in_order(is_byte ? kByteGray : kGray, rgb_);
  const auto blend = [&tile, weights, factor = factor_, rest = 1 - factor_](auto gray) {
    const auto [x0, x1, x2] = tile.planes;
    run_wide([=, size = tile.size, low = tile.low, high = tile.high, x0 = x0, x1 = x1, x2 = x2] {
      for (int64_t i = 0; i < size; ++i) {
        const float add = gray(x0[i] * weights[0] + x1[i] * weights[1] + x2[i] * weights[2]) * rest;
        x0[i] = std::min(std::max(x0[i] * factor + add, low), high);
        x1[i] = std::min(std::max(x1[i] * factor + add, low), high);
        x2[i] = std::min(std::max(x2[i] * factor + add, low), high);
      }
    });
  };
  if (is_byte) {
    blend([](float sum) { return static_cast<float>(static_cast<int>(sum * kByteGrayUnit + 0.5f)); });
  } else {
    blend([](float sum) { return sum; });
  }
}

GammaTransform::GammaTransform(float gamma) : PixelTransform(fmt::format("Gamma({})", gamma), true) {
  for (size_t i = 0; i < table_.size(); ++i) {
    const float base = static_cast<float>(i) / 255;
    table_[i] = std::trunc(std::pow(base, static_cast<float>(1 / (1 + double{gamma}))) * 255);
  }
}

void GammaTransform::apply(const Tile& tile, const ImageSums&) const {
  clip_to_bytes(tile);
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) {
    float* plane = tile.planes[c];
    for (int64_t i = 0; i < tile.size; ++i)
      plane[i] = table_[static_cast<size_t>(static_cast<int>(plane[i]))];
  }
}

ClipTransform::ClipTransform(Range range)
    : PixelTransform(fmt::format("Clip({}, {})", range.low, range.high), false),
      low_(static_cast<float>(range.low)),
      high_(static_cast<float>(range.high)) {}

void ClipTransform::apply(const Tile& tile, const ImageSums&) const {
  Tile narrow = tile;
  narrow.low = std::clamp(low_, tile.low, tile.high);
  narrow.high = std::clamp(high_, tile.low, tile.high);
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) scale_shift(narrow, c, 1, 0);
}

MeanVarianceTransform::MeanVarianceTransform(bool all_channel)
    : PixelTransform(fmt::format("MeanVarianceNormalize(all_channel={})", all_channel), false),
      all_channel_(all_channel) {}

void MeanVarianceTransform::apply(const Tile& tile, const ImageSums& sums) const {
  const auto channels = static_cast<double>(tile.channels), pixels = static_cast<double>(sums.pixels);
  for (size_t c = 0; c < static_cast<size_t>(tile.channels); ++c) {
    const double count = all_channel_ ? pixels * channels : pixels;
    const double mean = (all_channel_ ? sum_of(sums.sum) : sums.sum[c]) / count;
    const double mean_square = (all_channel_ ? sum_of(sums.square_sum) : sums.square_sum[c]) / count;
    const double deviation =
        std::max(std::sqrt(std::max(mean_square - mean * mean, 0.0)), 1 / std::sqrt(pixels * channels));
    scale_shift(tile, c, static_cast<float>(1 / deviation), static_cast<float>(-mean / deviation));
  }
}

MinMaxTransform::MinMaxTransform(Range range, bool all_channel)
    : PixelTransform(
          fmt::format("MinMaxNormalize({}, {}, all_channel={})", range.low, range.high, all_channel), false),
      range_(range),
      all_channel_(all_channel) {}

void MinMaxTransform::apply(const Tile& tile, const ImageSums& sums) const {
  const auto used = static_cast<size_t>(tile.channels);
  for (size_t c = 0; c < used; ++c) {
    const double min =
        all_channel_ ? *std::min_element(sums.min.begin(), sums.min.begin() + used) : sums.min[c];
    const double max =
        all_channel_ ? *std::max_element(sums.max.begin(), sums.max.begin() + used) : sums.max[c];
    const double scale = max > min ? (range_.high - range_.low) / (max - min) : 0;
    scale_shift(tile, c, static_cast<float>(scale), static_cast<float>(range_.low - min * scale));
  }
}

}  // namespace belfry::imgaug::internal
