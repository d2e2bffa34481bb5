#pragma once

#include <array>
#include <optional>

#include "belfry/data/imgaug/internal/pixel_transform.h"

namespace belfry::imgaug::internal {

// The pixel transforms that the augmentors of imgproc.h draw, with what they drew.

/// x * scale + shift of each channel.
class ScaleShiftTransform final : public PixelTransform {
 public:
  /// The same for all channels.
  ScaleShiftTransform(std::string name, float scale, float shift, bool clips);
  /// Nothing for scale; for images of three channels.
  ScaleShiftTransform(std::string name, const std::array<float, 3>& shift, bool clips);
  bool is_per_value() const override { return is_same_; }
  void check(const ImageSpec& image) const override;
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  float scale_;
  std::array<float, 3> shift_;
  bool is_same_;
};

class ContrastTransform final : public PixelTransform {
 public:
  ContrastTransform(float factor, std::optional<bool> rgb, bool clips);
  Needs needs() const override { return Needs::kSum; }
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  float factor_;
  std::optional<bool> rgb_;
};

class SaturationTransform final : public PixelTransform {
 public:
  SaturationTransform(float factor, bool rgb, bool clips);
  void check(const ImageSpec& image) const override;
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  float factor_;
  bool rgb_;
};

class GammaTransform final : public PixelTransform {
 public:
  explicit GammaTransform(float gamma);
  bool is_per_value() const override { return true; }
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  std::array<float, 256> table_;
};

class ClipTransform final : public PixelTransform {
 public:
  explicit ClipTransform(Range range);
  bool is_per_value() const override { return true; }
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  float low_, high_;
};

class MeanVarianceTransform final : public PixelTransform {
 public:
  explicit MeanVarianceTransform(bool all_channel);
  Needs needs() const override { return Needs::kSumAndSquares; }
  at::ScalarType output_dtype(at::ScalarType) const override { return at::kFloat; }
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  bool all_channel_;
};

class MinMaxTransform final : public PixelTransform {
 public:
  MinMaxTransform(Range range, bool all_channel);
  Needs needs() const override { return Needs::kExtremes; }
  at::ScalarType output_dtype(at::ScalarType) const override { return at::kFloat; }
  void apply(const Tile& tile, const ImageSums& sums) const override;

 private:
  Range range_;
  bool all_channel_;
};

}  // namespace belfry::imgaug::internal
