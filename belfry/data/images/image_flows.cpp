#include "belfry/data/images/image_flows.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <numeric>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/data/images/internal/encoded_image.h"

// Each stage is a function on datapoints with the generator of its call, so that threads give what the
// consumer's thread would give. Invariant: an image is decoded and transformed in one go, so that only what a
// crop needs is decoded.

namespace belfry {
namespace {

using imgaug::TransformPtr;

struct FilePass {
  std::optional<Datapoint> next() {
    if (position == order.size()) return std::nullopt;
    const std::string& path = (*files)[order[position++]];
    at::Tensor bytes = read_file_bytes(path);
    if (options.encoded) return Datapoint{bytes};
    const auto order = options.channel == 1 ? imgaug::PixelOrder::kGray : imgaug::PixelOrder::kRgb;
    at::Tensor image =
        imgaug::decode_image(imgaug::internal::bytes_of(bytes), {.order = order, .name = path});
    if (options.resize) {
      image = imgaug::ResizeTransform(image.size(0), image.size(1), options.resize->h, options.resize->w)
                  .apply_image(image);
    }
    return Datapoint{image};
  }

  int64_t skip(int64_t count) {
    const int64_t skipped = std::min(count, static_cast<int64_t>(order.size() - position));
    position += static_cast<size_t>(skipped);
    return skipped;
  }

  std::shared_ptr<const std::vector<std::string>> files;
  ImageFromFileOptions options;
  std::vector<size_t> order;
  size_t position = 0;
};

void check_index(const char* who, int64_t index) {
  if (index < 0) throw UsageError(fmt::format("[{}] expected a component index >= 0, got {}", who, index));
}

at::Tensor& component(Datapoint& datapoint, int64_t index) {
  if (index < static_cast<int64_t>(datapoint.size())) return datapoint[static_cast<size_t>(index)];
  throw DataError(fmt::format("expected a component {}, got {} components", index, datapoint.size()));
}

using AugmentFunction = std::function<Datapoint(Datapoint, Rng&)>;

// Without catching, the function's type says that it never drops.
MapFunction make_map_function(const char* who, AugmentFunction augment, bool catch_exceptions) {
  if (!catch_exceptions) return augment;
  auto count = std::make_shared<std::atomic<int64_t>>(0);
  return
      [who, augment = std::move(augment), count](Datapoint datapoint, Rng& rng) -> std::optional<Datapoint> {
        try {
          return augment(std::move(datapoint), rng);
        } catch (const std::exception& error) {
          if (int64_t n = ++*count; n <= 10 || n % 100 == 0) {
            log_warning("[{}] {} datapoints dropped so far, this one because: {}", who, n, error.what());
          }
          return std::nullopt;
        }
      };
}

}  // namespace

ImageFromFile::ImageFromFile(std::vector<std::string> files, ImageFromFileOptions options)
    : files_(std::make_shared<const std::vector<std::string>>(std::move(files))), options_(options) {
  if (files_->empty()) throw UsageError("[ImageFromFile] expected files, got none");
  if (options_.channel != 1 && options_.channel != 3) {
    throw UsageError(fmt::format("[ImageFromFile] expected 1 or 3 channels, got {}", options_.channel));
  }
  if (options_.encoded && options_.resize) {
    throw UsageError(
        "[ImageFromFile] expected `encoded` or `resize`, got both: encoded files have no pixels");
  }
}

DataIterator ImageFromFile::start_pass(int64_t pass) {
  std::vector<size_t> order(files_->size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (options_.shuffle) Rng(options_.seed, static_cast<uint64_t>(pass)).shuffle(order);
  return DataIterator(FilePass{files_, options_, std::move(order)});
}

MapFunction decode_image_component(int64_t index, DecodeImageOptions options) {
  check_index("DecodeImageComponent", index);
  const bool catches = options.catch_exceptions;
  auto decode = [index, options = std::move(options)](Datapoint datapoint, Rng&) {
    at::Tensor& value = component(datapoint, index);
    if (!imgaug::internal::is_encoded(value))
      throw DataError(fmt::format("expected the bytes of an image, uint8 [size], as component {}", index));
    imgaug::DecodeOptions named = options.decode;
    if (const std::string* path = file_of_bytes(value)) named.name = *path;
    value = imgaug::decode_image(imgaug::internal::bytes_of(value), named);
    return datapoint;
  };
  return make_map_function("DecodeImageComponent", std::move(decode), catches);
}

MapFunction augment_image_component(imgaug::AnyAugmentor augmentor, int64_t index,
                                    AugmentImageOptions options) {
  check_index("AugmentImageComponent", index);
  const bool catches = options.catch_exceptions;
  auto augment = [augmentor = std::move(augmentor), index, options = std::move(options)](Datapoint datapoint,
                                                                                         Rng& rng) {
    at::Tensor& image = component(datapoint, index);
    image = imgaug::internal::augment_any(image, *augmentor, rng, options.decode_augment);
    return datapoint;
  };
  return make_map_function("AugmentImageComponent", std::move(augment), catches);
}

MapFunction augment_image_coordinates(imgaug::AnyAugmentor augmentor, int64_t img_index, int64_t coords_index,
                                      AugmentImageOptions options) {
  check_index("AugmentImageCoordinates", img_index);
  check_index("AugmentImageCoordinates", coords_index);
  return augment_image_components(std::move(augmentor), {img_index}, {coords_index}, std::move(options));
}

MapFunction augment_image_components(imgaug::AnyAugmentor augmentor, std::vector<int64_t> index,
                                     std::vector<int64_t> coords_index, AugmentImageOptions options) {
  if (index.empty()) throw UsageError("[AugmentImageComponents] expected the index of an image, got none");
  for (int64_t i : index) check_index("AugmentImageComponents", i);
  for (int64_t i : coords_index) check_index("AugmentImageComponents", i);
  const bool catches = options.catch_exceptions;
  auto augment = [augmentor = std::move(augmentor), index = std::move(index),
                  coords_index = std::move(coords_index),
                  options = std::move(options)](Datapoint datapoint, Rng& rng) {
    const imgaug::DecodeAugmentOptions& decode = options.decode_augment;
    const imgaug::ImageSpec spec = imgaug::internal::spec_of_any(component(datapoint, index.front()), decode);
    const TransformPtr transform = augmentor->get_transform(spec, rng);
    for (int64_t i : index) {
      at::Tensor& image = component(datapoint, i);
      image = imgaug::internal::transform_any(image, transform, decode);
    }
    for (int64_t i : coords_index) {
      at::Tensor& coords = component(datapoint, i);
      coords = transform->apply_coords(coords);
    }
    return datapoint;
  };
  return make_map_function("AugmentImageComponents", std::move(augment), catches);
}

}  // namespace belfry
