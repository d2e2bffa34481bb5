#include "belfry/data/imgaug/internal/resample.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "belfry/data/imgaug/internal/run_wide.h"

// Resampling of a part of a picture whose ends may lie inside of pixels, which OpenCV cannot be asked for:
// rows are mixed first, then columns, each by a kernel that is made once. The weights are cv::resize's
// (imgproc/src/resize.cpp).
namespace belfry::imgaug::internal {
namespace {

// How each of some pixels is made: the weighted sum of `taps` pixels in a row.
struct Kernel {
  int64_t taps = 0;
  std::vector<int64_t> pixels;  // [count, taps], inside the image
  std::vector<float> weights;   // [count, taps]
};

// As OpenCV's: the cubic through four points with a = -0.75.
double cubic_weight(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

int64_t taps_of(Interpolation interpolation, double step) {
  switch (interpolation) {
    case Interpolation::kCubic:
      return 4;
    case Interpolation::kArea:
      return static_cast<int64_t>(std::ceil(step)) + 1;
    default:
      return 2;
  }
}

// Where the middle of output pixel i lies, in pixels' middles.
double middle(Stretch from, double step, int64_t i) {
  return from.begin + (static_cast<double>(i) + 0.5) * step - 0.5;
}

int64_t first_tap(Stretch from, double step, int64_t i, Interpolation interpolation) {
  if (interpolation == Interpolation::kArea) {
    return static_cast<int64_t>(std::floor(from.begin + static_cast<double>(i) * step));
  }
  const auto nearest_before = static_cast<int64_t>(std::floor(middle(from, step, i)));
  return interpolation == Interpolation::kCubic ? nearest_before - 1 : nearest_before;
}

double weight(Stretch from, double step, int64_t i, int64_t pixel, Interpolation interpolation) {
  const auto p = static_cast<double>(pixel);
  const double distance = p - middle(from, step, i);
  switch (interpolation) {
    case Interpolation::kCubic:
      return cubic_weight(distance);
    case Interpolation::kArea: {
      const double begin = from.begin + static_cast<double>(i) * step;
      return std::max(0.0, std::min(p + 1, begin + step) - std::max(p, begin)) / step;
    }
    default:
      return std::max(0.0, 1 - std::abs(distance));
  }
}

Kernel make_kernel(Stretch from, int64_t count, int64_t size, Interpolation interpolation) {
  const double step = from.size / static_cast<double>(count);
  Kernel kernel{.taps = taps_of(interpolation, step)};
  kernel.pixels.reserve(static_cast<size_t>(count * kernel.taps));
  kernel.weights.reserve(static_cast<size_t>(count * kernel.taps));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = first_tap(from, step, i, interpolation);
    for (int64_t pixel = first; pixel < first + kernel.taps; ++pixel) {
      kernel.pixels.push_back(std::clamp<int64_t>(pixel, 0, size - 1));
      kernel.weights.push_back(static_cast<float>(weight(from, step, i, pixel, interpolation)));
    }
  }
  return kernel;
}

// sums = a * weights[0] + b * weights[1]
void mix2(const uint8_t* __restrict a, const uint8_t* __restrict b, const float* weights,
          float* __restrict sums, int64_t size) {
  const float wa = weights[0], wb = weights[1];
  for (int64_t i = 0; i < size; ++i) sums[i] = wa * static_cast<float>(a[i]) + wb * static_cast<float>(b[i]);
}

void mix4(const uint8_t* const* rows, const float* weights, float* __restrict sums, int64_t size) {
  const uint8_t* __restrict a = rows[0];
  const uint8_t* __restrict b = rows[1];
  const uint8_t* __restrict c = rows[2];
  const uint8_t* __restrict d = rows[3];
  const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
  for (int64_t i = 0; i < size; ++i) {
    sums[i] = wa * static_cast<float>(a[i]) + wb * static_cast<float>(b[i]) + wc * static_cast<float>(c[i]) +
              wd * static_cast<float>(d[i]);
  }
}

void add(const uint8_t* __restrict row, float weight, float* __restrict sums, int64_t size) {
  for (int64_t i = 0; i < size; ++i) sums[i] += weight * static_cast<float>(row[i]);
}

// Row `i` of the kernel over the rows of the image: columns stay.
void mix_rows(const Kernel& kernel, int64_t i, const uint8_t* image, int64_t stride, float* sums,
              int64_t size) {
  const int64_t* pixels = kernel.pixels.data() + i * kernel.taps;
  const float* weights = kernel.weights.data() + i * kernel.taps;
  if (kernel.taps == 2)
    return mix2(image + pixels[0] * stride, image + pixels[1] * stride, weights, sums, size);
  if (kernel.taps == 4) {
    const uint8_t* rows[4];
    for (int t = 0; t < 4; ++t) rows[t] = image + pixels[t] * stride;
    return mix4(rows, weights, sums, size);
  }
  std::fill_n(sums, size, 0.0f);
  for (int64_t t = 0; t < kernel.taps; ++t) add(image + pixels[t] * stride, weights[t], sums, size);
}

// Four floats from any address; for three channels the last one belongs to the next pixel.
typedef float Quad __attribute__((vector_size(16)));

template <int64_t kTaps>
void mix_columns_of(const Kernel& kernel, const float* row, int64_t channels, float* out, int64_t count) {
  const int64_t taps = kTaps ? kTaps : kernel.taps;
  const int64_t* pixels = kernel.pixels.data();
  const float* weights = kernel.weights.data();
  for (int64_t i = 0; i < count; ++i, pixels += taps, weights += taps) {
    Quad sum = {};
    for (int64_t t = 0; t < taps; ++t) {
      Quad pixel;
      std::memcpy(&pixel, row + pixels[t] * channels, sizeof pixel);
      sum += pixel * weights[t];
    }
    std::memcpy(out + i * channels, &sum, sizeof sum);
  }
}

// Requires: room for three more floats behind `row` and `out`.
void mix_columns(const Kernel& kernel, const float* row, int64_t channels, float* out, int64_t count) {
  if (kernel.taps == 2) return mix_columns_of<2>(kernel, row, channels, out, count);
  if (kernel.taps == 4) return mix_columns_of<4>(kernel, row, channels, out, count);
  mix_columns_of<0>(kernel, row, channels, out, count);
}

void round_to_bytes(const float* __restrict row, uint8_t* __restrict out, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    out[i] = static_cast<uint8_t>(static_cast<int>(std::min(std::max(row[i] + 0.5f, 0.0f), 255.0f)));
  }
}

}  // namespace

bool can_resample(Interpolation interpolation) {
  return interpolation == Interpolation::kLinear || interpolation == Interpolation::kCubic ||
         interpolation == Interpolation::kArea;
}

PixelSpan pixels_needed(Stretch from, int64_t count, Interpolation interpolation) {
  const double step = from.size / static_cast<double>(count);
  return {first_tap(from, step, 0, interpolation),
          first_tap(from, step, count - 1, interpolation) + taps_of(interpolation, step)};
}

at::Tensor resample(const at::Tensor& image, Stretch y, Stretch x, int64_t h, int64_t w,
                    Interpolation interpolation) {
  constexpr int64_t kSpare = 3;
  const int64_t channels = image.size(2), width = image.size(1) * channels;
  const Kernel rows = make_kernel(y, h, image.size(0), interpolation);
  const Kernel columns = make_kernel(x, w, image.size(1), interpolation);
  std::vector<float> mixed(static_cast<size_t>(width + kSpare)),
      out(static_cast<size_t>(w * channels + kSpare));
  at::Tensor result = at::empty({h, w, channels}, at::kByte);
  run_wide([&rows, &columns, from = image.const_data_ptr<uint8_t>(), stride = image.stride(0), width,
            channels, h, w, mixed = mixed.data(), out = out.data(),
            result = result.mutable_data_ptr<uint8_t>()] {
    uint8_t* to = result;
    for (int64_t i = 0; i < h; ++i, to += w * channels) {
      mix_rows(rows, i, from, stride, mixed, width);
      mix_columns(columns, mixed, channels, out, w);
      round_to_bytes(out, to, w * channels);
    }
  });
  return result;
}

}  // namespace belfry::imgaug::internal
