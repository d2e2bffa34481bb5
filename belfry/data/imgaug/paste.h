#pragma once

#include <memory>

#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

/// Makes the canvas that an image is pasted onto. Safe to call from any thread.
class BackgroundFiller {
 public:
  virtual ~BackgroundFiller() = default;
  /// An image of size `shape` with the dtype and channels of `image`, in memory of its own.
  virtual at::Tensor fill(Size2 shape, const at::Tensor& image) const = 0;
};

/// The same value everywhere.
class ConstantBackgroundFiller final : public BackgroundFiller {
 public:
  explicit ConstantBackgroundFiller(double value) : value_(value) {}
  at::Tensor fill(Size2 shape, const at::Tensor& image) const override;

 private:
  double value_;
};

using BackgroundFillerPtr = std::shared_ptr<const BackgroundFiller>;

/// An image on a larger canvas, its first pixel at row y0 and column x0.
class PasteTransform final : public Transform {
 public:
  PasteTransform(int64_t y0, int64_t x0, Size2 background_shape, BackgroundFillerPtr filler)
      : y0(y0), x0(x0), background_shape(background_shape), filler(std::move(filler)) {}
  ImageSpec output_spec(const ImageSpec& input) const override;
  std::string description() const override;

  const int64_t y0, x0;
  const Size2 background_shape;
  const BackgroundFillerPtr filler;

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override;
  at::Tensor transform_coords(const at::Tensor& coords) const override;
};

/// Pastes the image onto the middle of a canvas, black unless a filler is given.
class CenterPaste final : public ImageAugmentor {
 public:
  /// Throws UsageError when the size is not positive.
  explicit CenterPaste(Size2 background_shape, BackgroundFillerPtr background_filler = nullptr);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 background_shape_;
  BackgroundFillerPtr filler_;
};

/// Pastes the image onto a canvas, all places equally likely.
class RandomPaste final : public ImageAugmentor {
 public:
  /// Throws UsageError when the size is not positive.
  explicit RandomPaste(Size2 background_shape, BackgroundFillerPtr background_filler = nullptr);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 background_shape_;
  BackgroundFillerPtr filler_;
};

}  // namespace belfry::imgaug
