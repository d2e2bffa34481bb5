#include "belfry/data/imgaug/deform.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/draw.h"

namespace belfry::imgaug {
namespace {

// Two neighbours of a place between pixels, and the share of the second.
struct Between {
  int64_t low, high;
  float share;

  Between(float place, int64_t size) {
    const float inside = std::clamp(place, 0.0f, static_cast<float>(size - 1));
    low = static_cast<int64_t>(inside);
    high = std::min(low + 1, size - 1);
    share = inside - static_cast<float>(low);
  }
};

template <typename Scalar>
void sample(const at::Tensor& image, const at::Tensor& places, at::Tensor& result) {
  const auto from = image.accessor<Scalar, 3>();
  const auto place = places.accessor<float, 3>();
  auto to = result.accessor<float, 3>();
  for (int64_t y = 0; y < to.size(0); ++y) {
    for (int64_t x = 0; x < to.size(1); ++x) {
      const Between rows(place[y][x][0], from.size(0)), columns(place[y][x][1], from.size(1));
      const float right = columns.share, left = 1 - right;
      for (int64_t c = 0; c < to.size(2); ++c) {
        const float upper = from[rows.low][columns.low][c] * left + from[rows.low][columns.high][c] * right;
        const float lower = from[rows.high][columns.low][c] * left + from[rows.high][columns.high][c] * right;
        to[y][x][c] = upper * (1 - rows.share) + lower * rows.share;
      }
    }
  }
}

class DeformTransform final : public Transform {
 public:
  /// `places`: for each pixel of the result the row and column it comes from, float32 [H, W, 2].
  DeformTransform(at::Tensor places, std::string description)
      : places_(std::move(places)), description_(std::move(description)) {}

  ImageSpec output_spec(const ImageSpec& input) const override {
    return {input.h, input.w, input.channels, at::kFloat};
  }
  std::string description() const override { return description_; }

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override {
    if (image.size(0) != places_.size(0) || image.size(1) != places_.size(1)) {
      throw DataError(fmt::format("[{}] expected an image of {} x {}, got {} x {}", description_,
                                  places_.size(0), places_.size(1), image.size(0), image.size(1)));
    }
    const at::Tensor with_channels = image.dim() == 3 ? image : image.unsqueeze(2);
    at::Tensor result = at::empty(with_channels.sizes(), image.options().dtype(at::kFloat));
    if (image.scalar_type() == at::kFloat) {
      sample<float>(with_channels, places_, result);
    } else {
      sample<uint8_t>(with_channels, places_, result);
    }
    return result.reshape(image.sizes());
  }
  at::Tensor transform_coords(const at::Tensor&) const override {
    throw UsageError(fmt::format("[{}] cannot tell where a point of the image goes", description()));
  }

 private:
  at::Tensor places_;
  std::string description_;
};

at::Tensor gaussian_weights(const std::vector<Anchor>& anchors, Size2 shape, double sigma) {
  at::Tensor weights = at::empty({shape.h, shape.w, static_cast<int64_t>(anchors.size())}, at::kFloat);
  auto weight = weights.accessor<float, 3>();
  for (int64_t y = 0; y < shape.h; ++y) {
    for (int64_t x = 0; x < shape.w; ++x) {
      for (size_t k = 0; k < anchors.size(); ++k) {
        const double dy = static_cast<double>(y) / static_cast<double>(shape.h) - anchors[k].y;
        const double dx = static_cast<double>(x) / static_cast<double>(shape.w) - anchors[k].x;
        weight[y][x][static_cast<int64_t>(k)] = static_cast<float>(std::exp(-(dx * dx + dy * dy) / sigma));
      }
    }
  }
  return weights;
}

}  // namespace

GaussianDeform::GaussianDeform(const std::vector<Anchor>& anchors, Size2 shape, GaussianDeformOptions options)
    : shape_(shape),
      randrange_(options.randrange > 0 ? options.randrange : static_cast<double>(shape.h) / 8) {
  if (anchors.empty() || shape.h <= 0 || shape.w <= 0 || !(options.sigma > 0) || !(options.randrange >= 0)) {
    throw UsageError(
        fmt::format("[GaussianDeform] expected anchors, a positive size and sigma, and randrange >= 0, got "
                    "{} anchors, {} x {}, {} and {}",
                    anchors.size(), shape.h, shape.w, options.sigma, options.randrange));
  }
  weights_ = gaussian_weights(anchors, shape, options.sigma);
}

TransformPtr GaussianDeform::get_transform(const ImageSpec& image, Rng& rng) const {
  if (image.h != shape_.h || image.w != shape_.w) {
    throw DataError(fmt::format("[GaussianDeform] expected an image of {} x {}, got {} x {}", shape_.h,
                                shape_.w, image.h, image.w));
  }
  at::Tensor offsets = at::empty({weights_.size(2), 2}, at::kFloat);
  const std::span<float> numbers(offsets.mutable_data_ptr<float>(), static_cast<size_t>(offsets.numel()));
  for (float& number : numbers) number = internal::draw({-randrange_, randrange_}, rng);
  at::Tensor places = weights_.matmul(offsets);
  auto place = places.accessor<float, 3>();
  for (int64_t y = 0; y < shape_.h; ++y) {
    for (int64_t x = 0; x < shape_.w; ++x) {
      place[y][x][0] += static_cast<float>(y);
      place[y][x][1] += static_cast<float>(x);
    }
  }
  return std::make_shared<DeformTransform>(std::move(places),
                                           fmt::format("GaussianDeform([{}])", fmt::join(numbers, ", ")));
}

}  // namespace belfry::imgaug
