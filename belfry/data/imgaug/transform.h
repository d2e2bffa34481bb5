#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "belfry/data/images/image_spec.h"

namespace belfry::imgaug {

/// One decided change of an image: what an augmentor drew, with nothing random left. It can be applied to the
/// image, to others that go with it (a segmentation mask), and to coordinates and boxes on it.
///
/// Transforms never change: any number of threads may apply one at the same time. Results are new tensors or
/// share memory with the argument, which is never written to.
///
/// The first transform that is applied sets OpenCV's number of threads, one for the whole process, to 1:
/// images are prepared in threads already. A program that wants OpenCV's own calls cv::setNumThreads after.
class Transform {
 public:
  virtual ~Transform() = default;

  /// `image` as spec_of() wants it; the result has as many dimensions, unless the transform is asked to drop
  /// one (GrayscaleOptions). It need not be contiguous: a crop is a view. Throws DataError for other tensors,
  /// and when the image is not of the size that the transform was made for.
  at::Tensor apply_image(const at::Tensor& image) const;
  /// `coords`: float32 or float64 [N, 2], each row x, y in pixels, where (0, 0) is the outer corner of the
  /// first pixel, as in tensorpack; results may lie outside of the image. Throws DataError for other tensors,
  /// UsageError when this transform cannot tell where a point goes (GaussianDeform).
  at::Tensor apply_coords(const at::Tensor& coords) const;
  /// `boxes`: float32 or float64 [N, 4], each row x0, y0, x1, y1. Results are the smallest upright boxes
  /// around the four corners' images. Throws as apply_coords.
  at::Tensor apply_boxes(const at::Tensor& boxes) const;

  /// The spec of the result for an image of spec `input`.
  virtual ImageSpec output_spec(const ImageSpec& input) const { return input; }
  /// Its name and parameters: `CropTransform(y0=4, x0=0, h=224, w=224)`.
  virtual std::string description() const = 0;

 protected:
  /// Both get checked tensors. An OpenCV exception becomes a DataError.
  virtual at::Tensor transform_image(const at::Tensor& image) const = 0;
  virtual at::Tensor transform_coords(const at::Tensor& coords) const = 0;
};

using TransformPtr = std::shared_ptr<const Transform>;

class NoOpTransform final : public Transform {
 public:
  std::string description() const override { return "NoOpTransform()"; }

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override { return image; }
  at::Tensor transform_coords(const at::Tensor& coords) const override { return coords; }
};

/// The part of an image from row y0 and column x0 on. A view of the image.
class CropTransform final : public Transform {
 public:
  CropTransform(int64_t y0, int64_t x0, int64_t h, int64_t w) : y0(y0), x0(x0), h(h), w(w) {}
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override;

  const int64_t y0, x0, h, w;

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;
};

/// An h x w image resized to new_h x new_w.
class ResizeTransform final : public Transform {
 public:
  ResizeTransform(int64_t h, int64_t w, int64_t new_h, int64_t new_w,
                  Interpolation interpolation = Interpolation::kLinear)
      : h(h), w(w), new_h(new_h), new_w(new_w), interpolation(interpolation) {}
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override;

  const int64_t h, w, new_h, new_w;
  const Interpolation interpolation;

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;
};

/// An h x w image mirrored: left and right exchanged when `horiz`, else top and bottom.
class FlipTransform final : public Transform {
 public:
  FlipTransform(int64_t h, int64_t w, bool horiz = true) : h(h), w(w), horiz(horiz) {}
  std::string description() const override;

  const int64_t h, w;
  const bool horiz;

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;
};

/// Rows and columns exchanged.
class TransposeTransform final : public Transform {
 public:
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override { return "TransposeTransform()"; }

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;
};

/// {a, b, c, d, e, f}: the point x, y goes to a x + b y + c, d x + e y + f.
using AffineMatrix = std::array<double, 6>;

struct WarpAffineOptions {
  Interpolation interpolation = Interpolation::kLinear;
  Border border = Border::kConstant;
  /// The colour outside for Border::kConstant, one number for each channel; 0 for the fourth, and those
  /// beyond begin anew.
  std::array<double, 3> border_value = {0, 0, 0};
};

/// An affine map onto an image of `size`.
class WarpAffineTransform final : public Transform {
 public:
  WarpAffineTransform(const AffineMatrix& matrix, Size2 size, WarpAffineOptions options = {})
      : matrix(matrix), size(size), options(options) {}
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override;

  const AffineMatrix matrix;
  const Size2 size;
  const WarpAffineOptions options;

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;
};

/// Changes pixels and leaves their places: coordinates stay. Made of a function, or the base of the
/// transforms of colour augmentors.
class PhotometricTransform : public Transform {
 public:
  /// The spec of a function's result.
  using SpecFunction = std::function<ImageSpec(const ImageSpec&)>;

  /// `function` gets a checked image, which it must not write into, and is called from any thread. The spec
  /// of its result is that of the image unless `spec` says otherwise.
  PhotometricTransform(std::string name, std::function<at::Tensor(const at::Tensor&)> function,
                       SpecFunction spec = {});
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override { return name_; }

 protected:
  explicit PhotometricTransform(std::string name) : name_(std::move(name)) {}
  at::Tensor transform_image(const at::Tensor& image) const override { return function_(image); }
  at::Tensor transform_coords(const at::Tensor& coords) const override { return coords; }

 private:
  std::string name_;
  std::function<at::Tensor(const at::Tensor&)> function_;
  SpecFunction spec_;
};

/// Transforms one after the other. Lists inside are spliced in and transforms that do nothing left out.
/// Neighbouring changes of colour are computed together, in one pass over the pixels.
class TransformList final : public Transform {
 public:
  /// Throws UsageError when one is null.
  explicit TransformList(std::vector<TransformPtr> transforms);
  const std::vector<TransformPtr>& transforms() const { return transforms_; }
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override;

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;

 private:
  std::vector<TransformPtr> transforms_;
};

/// The transforms of `first`, then `next`. Throws UsageError when that is null.
TransformList operator+(const TransformList& first, const TransformPtr& next);
TransformList operator+(const TransformList& first, const TransformList& next);

}  // namespace belfry::imgaug
