#include "belfry/data/imgaug/convert.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <opencv2/imgproc.hpp>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/mat.h"
#include "belfry/data/imgaug/internal/pixel_transform.h"

namespace belfry::imgaug {
namespace {

class ToUint8Transform final : public internal::PixelTransform {
 public:
  ToUint8Transform() : PixelTransform("ToUint8()", true) {}
  bool is_per_value() const override { return true; }
  at::ScalarType output_dtype(at::ScalarType) const override { return at::kByte; }
  void apply(const internal::Tile& tile, const internal::ImageSums&) const override {
    if (tile.dtype != at::kByte) internal::clip_to_bytes(tile);
  }
};

class ToFloat32Transform final : public internal::PixelTransform {
 public:
  ToFloat32Transform() : PixelTransform("ToFloat32()", false) {}
  bool is_per_value() const override { return true; }
  at::ScalarType output_dtype(at::ScalarType) const override { return at::kFloat; }
  void apply(const internal::Tile&, const internal::ImageSums&) const override {
  }  // tiles are float32 already
};

at::Tensor convert(const at::Tensor& image, int code, int64_t channels, bool keepdims = true) {
  const at::Tensor source = internal::with_dense_rows(image);
  const int64_t h = image.size(0), w = image.size(1);
  // An image without a dimension for channels keeps to that when it has one channel.
  const bool is_flat = channels == 1 && (image.dim() == 2 || !keepdims);
  at::Tensor like = is_flat ? image.new_empty({1, 1}) : image.new_empty({1, 1, channels});
  at::Tensor result = internal::empty_image(like, h, w);
  cv::Mat to = internal::as_mat(result);
  cv::cvtColor(internal::as_mat(source), to, code);
  internal::check_result(to, result);
  return result;
}

// The number of channels that `code` makes of the number it takes; 0 when it is not such a conversion.
int64_t channels_after(int code) {
  for (const int type : {CV_8UC3, CV_8UC1}) {
    try {
      cv::Mat result;
      cv::cvtColor(cv::Mat(1, 1, type, cv::Scalar(0, 0, 0)), result, code);
      const int channels = result.channels();
      return result.size() == cv::Size(1, 1) && (channels == 1 || channels == 3) ? channels : 0;
    } catch (const cv::Exception&) {
      continue;  // the other number of channels
    }
  }
  return 0;
}

TransformPtr color_transform(std::string name, std::function<at::Tensor(const at::Tensor&)> function,
                             int64_t channels) {
  return std::make_shared<PhotometricTransform>(std::move(name), std::move(function),
                                                [channels](ImageSpec spec) {
                                                  spec.channels = channels;
                                                  return spec;
                                                });
}

}  // namespace

ColorSpace::ColorSpace(int code, bool keepdims)
    : code_(code), channels_(channels_after(code)), keepdims_(keepdims) {
  if (channels_ == 0) {
    throw UsageError(fmt::format(
        "[ColorSpace] expected one of OpenCV's conversions between 1 and 3 channels, got {}", code));
  }
}

TransformPtr ColorSpace::get_transform(const ImageSpec&, Rng&) const {
  return color_transform(
      fmt::format("ColorSpace(code={}, keepdims={})", code_, keepdims_),
      [code = code_, channels = channels_, keepdims = keepdims_](const at::Tensor& image) {
        return convert(image, code, channels, keepdims);
      },
      channels_);
}

TransformPtr Grayscale::get_transform(const ImageSpec&, Rng&) const {
  const int code = options_.rgb ? cv::COLOR_RGB2GRAY : cv::COLOR_BGR2GRAY;
  const auto [rgb, keepshape, keepdims] = options_;
  return color_transform(
      fmt::format("Grayscale(rgb={}, keepshape={}, keepdims={})", rgb, keepshape, keepdims),
      [code, keepshape = keepshape, keepdims = keepdims](const at::Tensor& image) {
        const at::Tensor gray = convert(image, code, 1, keepdims);
        return keepshape ? convert(gray, cv::COLOR_GRAY2RGB, 3) : gray;
      },
      keepshape ? 3 : 1);
}

TransformPtr ToUint8::get_transform(const ImageSpec&, Rng&) const {
  return std::make_shared<ToUint8Transform>();
}

TransformPtr ToFloat32::get_transform(const ImageSpec&, Rng&) const {
  return std::make_shared<ToFloat32Transform>();
}

}  // namespace belfry::imgaug
