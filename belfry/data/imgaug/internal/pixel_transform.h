#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "belfry/data/imgaug/transform.h"

namespace belfry::imgaug::internal {

/// Some pixels of an image as float32, one row of numbers for each channel.
struct Tile {
  std::array<float*, 3> planes;
  int64_t channels;
  int64_t size;
  /// The dtype of the image at this step; its values are whole numbers when this is uint8.
  at::ScalarType dtype;
  /// What the step clips its results to: [0, 255] when they become uint8; infinite when it does not clip.
  float low, high;
};

/// x * scale + shift of one plane, clipped as the tile says.
void scale_shift(const Tile& tile, size_t channel, float scale, float shift);

/// Clips all planes to [0, 255], whatever the tile says; NaN becomes 0.
void clip_to_bytes(const Tile& tile);

/// Sums over the pixels of an image, of each channel.
struct ImageSums {
  int64_t pixels = 0;
  std::array<double, 3> sum = {}, square_sum = {}, min = {}, max = {};
};

/// A change of colour that is computed from one pixel, and perhaps from sums over the image: what can be done
/// in one pass together with its neighbours in a TransformList.
class PixelTransform : public PhotometricTransform {
 public:
  enum class Needs { kNothing, kSum, kSumAndSquares, kExtremes };

  ImageSpec output_spec(const ImageSpec& input) const override;
  /// The same function for each value of each channel, without sums.
  virtual bool is_per_value() const { return false; }
  virtual Needs needs() const { return Needs::kNothing; }
  virtual at::ScalarType output_dtype(at::ScalarType input) const { return input; }
  /// Throws DataError when the image has not the channels that this transform wants.
  virtual void check(const ImageSpec&) const {}
  /// Changes the tile's values; what becomes uint8 is truncated afterwards. `sums` are those of the image
  /// before this step, as needs() says.
  virtual void apply(const Tile& tile, const ImageSums& sums) const = 0;
  /// Float images are clipped to [0, 255] when this is true; uint8 images always.
  bool clips() const { return clips_; }

 protected:
  PixelTransform(std::string name, bool clips) : PhotometricTransform(std::move(name)), clips_(clips) {}
  at::Tensor transform_image(const at::Tensor& image) const final;

 private:
  bool clips_;
};

/// The steps one after the other, in as many passes over the image as some step needs sums, and one more.
/// Requires: at least one step; a checked image.
at::Tensor apply_pixel_transforms(std::span<const PixelTransform* const> steps, const at::Tensor& image);

}  // namespace belfry::imgaug::internal
