#pragma once

#include <optional>
#include <string>
#include <vector>

#include "belfry/data/images/decode_augment.h"
#include "belfry/dataflow/map_data.h"

namespace belfry {

struct ImageFromFileOptions {
  /// 3 for RGB, 1 for gray.
  int64_t channel = 3;
  /// Resize to this size, with linear interpolation.
  std::optional<imgaug::Size2> resize = std::nullopt;
  /// Produce the files' bytes as they are, uint8 [size]: a later stage decodes them in its threads, and only
  /// what it needs of them.
  bool encoded = false;
  /// A new random order in each pass.
  bool shuffle = false;
  uint64_t seed = 0;
};

/// The pictures in JPEG and PNG files, in the order of `files`. Datapoint: {image uint8 [H, W, channel]}. A
/// file that is missing or cannot be decoded is a DataError with its path, and ends the pass.
class ImageFromFile : public DataFlow {
 public:
  /// Throws UsageError when there is no file, the channels are neither 1 nor 3, or both `encoded` and
  /// `resize` are wanted.
  explicit ImageFromFile(std::vector<std::string> files, ImageFromFileOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return static_cast<int64_t>(files_->size()); }

 private:
  std::shared_ptr<const std::vector<std::string>> files_;
  ImageFromFileOptions options_;
};

// The stages below augment images: uint8 or float32 [H, W, C], or, where a component is uint8 [size], the
// JPEG or PNG file with these bytes, which is decoded as decode_and_transform does. Images are never written
// into: the augmented one is new, or shares memory with the original.
//
// Where nothing is to be changed, DecodeImageComponent makes images of encoded ones: those of ILSVRC12, say,
// as tensorpack's class gives them, BGR.
//
//     DecodeImageComponent(ILSVRC12(folder, "val"), 0, {.decode = {.order = imgaug::PixelOrder::kBgr}})
//
// Each stage is there as a class, which works in the consumer's thread, and as a function to give to
// MultiThreadMapData. Both need a seed of their own, where something is drawn.

struct AugmentImageOptions {
  /// Drop a datapoint that cannot be augmented (a damaged file, an image smaller than the crop). The first 10
  /// and then each 100th of them are logged. Otherwise the error ends the pass.
  bool catch_exceptions = false;
  imgaug::DecodeAugmentOptions decode_augment = {};
};

struct DecodeImageOptions {
  /// As of AugmentImageOptions.
  bool catch_exceptions = false;
  imgaug::DecodeOptions decode = {};
};

/// Decodes component `index` of each datapoint, uint8 [size], the bytes of a JPEG or PNG file, as
/// decode_image does.
MapFunction decode_image_component(int64_t index = 0, DecodeImageOptions options = {});

/// Augments component `index` of each datapoint.
MapFunction augment_image_component(imgaug::AnyAugmentor augmentor, int64_t index = 0,
                                    AugmentImageOptions options = {});

/// Augments the image in component `img_index`, and moves the coordinates in component `coords_index`, float
/// [N, 2] of x, y, with it.
MapFunction augment_image_coordinates(imgaug::AnyAugmentor augmentor, int64_t img_index = 0,
                                      int64_t coords_index = 1, AugmentImageOptions options = {});

/// Changes several images (a photo and its segmentation mask) and coordinates by the same transform, which is
/// drawn for the first of the images.
MapFunction augment_image_components(imgaug::AnyAugmentor augmentor, std::vector<int64_t> index = {0, 1},
                                     std::vector<int64_t> coords_index = {},
                                     AugmentImageOptions options = {});

/// decode_image_component as a stage. Throws UsageError when an index is negative.
class DecodeImageComponent : public MapData {
 public:
  explicit DecodeImageComponent(AnyDataFlow source, int64_t index = 0, DecodeImageOptions options = {},
                                MapDataOptions map = {})
      : MapData(std::move(source), decode_image_component(index, std::move(options)), map) {}
};

/// augment_image_component as a stage. Throws UsageError when an index is negative.
class AugmentImageComponent : public MapData {
 public:
  AugmentImageComponent(AnyDataFlow source, imgaug::AnyAugmentor augmentor, int64_t index = 0,
                        AugmentImageOptions options = {}, MapDataOptions map = {})
      : MapData(std::move(source), augment_image_component(std::move(augmentor), index, std::move(options)),
                map) {}
};

/// augment_image_coordinates as a stage. Throws UsageError when an index is negative.
class AugmentImageCoordinates : public MapData {
 public:
  AugmentImageCoordinates(AnyDataFlow source, imgaug::AnyAugmentor augmentor, int64_t img_index = 0,
                          int64_t coords_index = 1, AugmentImageOptions options = {}, MapDataOptions map = {})
      : MapData(std::move(source),
                augment_image_coordinates(std::move(augmentor), img_index, coords_index, std::move(options)),
                map) {}
};

/// augment_image_components as a stage. Throws UsageError when there is no image, or an index is negative.
class AugmentImageComponents : public MapData {
 public:
  AugmentImageComponents(AnyDataFlow source, imgaug::AnyAugmentor augmentor,
                         std::vector<int64_t> index = {0, 1}, std::vector<int64_t> coords_index = {},
                         AugmentImageOptions options = {}, MapDataOptions map = {})
      : MapData(std::move(source),
                augment_image_components(std::move(augmentor), std::move(index), std::move(coords_index),
                                         std::move(options)),
                map) {}
};

}  // namespace belfry
