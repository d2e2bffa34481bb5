#include "belfry/data/imgaug/noise.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "belfry/base/error.h"
#include "belfry/data/codecs/jpeg.h"
#include "belfry/data/imgaug/internal/draw.h"

namespace belfry::imgaug {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

at::Tensor empty_floats(const at::Tensor& image) {
  return at::empty(image.sizes(), image.options().dtype(at::kFloat));
}

// Calls `change(value, number)` for each value of the image with its number of `numbers`.
template <typename Scalar, typename Change>
void combine(const at::Tensor& image, const at::Tensor& numbers, const at::Tensor& result, Change change) {
  const Scalar* from = image.const_data_ptr<Scalar>();
  const float* number = numbers.const_data_ptr<float>();
  Scalar* to = result.mutable_data_ptr<Scalar>();
  for (int64_t i = 0; i < image.numel(); ++i) to[i] = static_cast<Scalar>(change(from[i], number[i]));
}

template <typename Change>
at::Tensor combined(const at::Tensor& image, const at::Tensor& numbers, Change change) {
  const at::Tensor source = image.contiguous();
  at::Tensor result = at::empty(image.sizes(), image.options());
  if (image.scalar_type() == at::kFloat) {
    combine<float>(source, numbers, result, change);
  } else {
    combine<uint8_t>(source, numbers, result, change);
  }
  return result;
}

at::Tensor through_jpeg(const at::Tensor& image, int64_t quality, PixelOrder order) {
  const at::Tensor bytes =
      image.scalar_type() == at::kByte ? image : image.round().clamp(0, 255).to(at::kByte);
  const at::Tensor with_channels = bytes.dim() == 3 ? bytes : bytes.unsqueeze(2);
  if (const int64_t channels = with_channels.size(2); channels != 1 && channels != 3)
    throw DataError(fmt::format("[JpegNoise] expected an image of 1 or 3 channels, got {}", channels));
  const at::Tensor jpeg = encode_jpeg(with_channels.contiguous(), {.quality = quality, .order = order});
  const ByteSpan span(reinterpret_cast<const std::byte*>(jpeg.const_data_ptr<uint8_t>()), jpeg.nbytes());
  if (with_channels.size(2) == 1) order = PixelOrder::kGray;
  return decode_jpeg(span, {.order = order}).reshape(image.sizes()).to(image.scalar_type());
}

}  // namespace

JpegNoise::JpegNoise(JpegNoiseOptions options) : options_(options) {
  const auto& [low, high, rgb] = options_;
  if (low < 1 || low >= high || high > 101) {
    throw UsageError(fmt::format("[JpegNoise] expected qualities from 1 to 100, got [{}, {})", low, high));
  }
}

TransformPtr JpegNoise::get_transform(const ImageSpec&, Rng& rng) const {
  const int64_t quality = internal::draw_integer(options_.quality_low, options_.quality_high, rng);
  const PixelOrder order = options_.rgb ? PixelOrder::kRgb : PixelOrder::kBgr;
  return std::make_shared<PhotometricTransform>(
      fmt::format("JpegNoise({})", quality),
      [quality, order](const at::Tensor& image) { return through_jpeg(image, quality, order); });
}

GaussianNoise::GaussianNoise(GaussianNoiseOptions options) : options_(options) {
  if (!(options_.sigma >= 0 && options_.sigma < kInfinity)) {
    throw UsageError(fmt::format("[GaussianNoise] expected a finite sigma >= 0, got {}", options_.sigma));
  }
}

TransformPtr GaussianNoise::get_transform(const ImageSpec&, Rng& rng) const {
  const uint64_t seed = rng.bits();
  const auto [sigma, clip] = options_;
  return std::make_shared<PhotometricTransform>(
      fmt::format("GaussianNoise(sigma={}, seed={})", sigma, seed),
      [seed, sigma = sigma, clip = clip](const at::Tensor& image) {
        at::Tensor noise = empty_floats(image);
        noise.normal_(0, sigma, at::make_generator<at::CPUGeneratorImpl>(seed));
        const bool clips = clip || image.scalar_type() == at::kByte;
        const float low = clips ? 0 : -kInfinity, high = clips ? 255 : kInfinity;
        return combined(image, noise, [low, high](float value, float number) {
          return std::min(std::max(value + number, low), high);
        });
      });
}

SaltPepperNoise::SaltPepperNoise(double white_prob, double black_prob)
    : white_prob_(white_prob), black_prob_(black_prob) {
  internal::check_probability("SaltPepperNoise", white_prob);
  internal::check_probability("SaltPepperNoise", black_prob);
  internal::check_probability("SaltPepperNoise", white_prob + black_prob);
}

TransformPtr SaltPepperNoise::get_transform(const ImageSpec&, Rng& rng) const {
  const uint64_t seed = rng.bits();
  const auto white = static_cast<float>(1 - white_prob_), black = static_cast<float>(black_prob_);
  return std::make_shared<PhotometricTransform>(
      fmt::format("SaltPepperNoise(white={}, black={}, seed={})", white_prob_, black_prob_, seed),
      [seed, white, black](const at::Tensor& image) {
        at::Tensor chance = empty_floats(image);
        chance.uniform_(0, 1, at::make_generator<at::CPUGeneratorImpl>(seed));
        return combined(image, chance, [white, black](auto value, float number) {
          const auto salted = number >= white ? decltype(value){255} : value;
          return number < black ? decltype(value){0} : salted;
        });
      });
}

}  // namespace belfry::imgaug
