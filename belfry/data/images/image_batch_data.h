#pragma once

#include <array>

#include "belfry/data/images/decode_augment.h"
#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct ImageBatchDataOptions {
  int64_t num_thread = 1;
  /// The component with the image.
  int64_t index = 0;
  /// A batch's values are (x - mean) / std of each channel, in float32; or, where `as_uint8`, the augmented
  /// images as they are, which must then be uint8.
  std::array<double, 3> mean = {0, 0, 0}, std = {1, 1, 1};
  bool as_uint8 = false;
  /// Whether datapoints that are left over at the end of a pass make a smaller last batch, or are dropped.
  bool remainder = false;
  /// Batches that are made or wait for the consumer at any time.
  int64_t buffer_size = 2;
  /// Batches in page-locked memory, from which a GPU copies faster. Needs one.
  bool pinned = false;
  /// For what is random in the augmentor.
  uint64_t seed = 0;
  imgaug::DecodeAugmentOptions decode_augment = {};
};

/// From datapoints with an image, usually still a JPEG, to batches of augmented images, in threads: MapData
/// of `augment_image_component`, conversion to float32, normalisation and BatchData in one step. Each image
/// is written to its place in the batch once; there is no list of images and no second copy. The other
/// components are stacked: of shape [...], they become [N, ...].
///
/// Produces the same batches in the same order for any number of threads. The source is used by one thread at
/// a time. An exception arrives at the place of its batch and names the datapoint. The threads start when the
/// first batch is asked for and end with the pass; stopping early waits for the images that are being made.
///
/// Throws DataError where augment_image_component would, and when augmented images, or other components,
/// differ in shape or dtype within a batch.
class ImageBatchData : public ProxyDataFlow {
 public:
  /// Throws UsageError when the batch size, the number of threads, the buffer size or a std is not positive,
  /// the index is negative, a normalisation is given for uint8, or memory can not be pinned.
  ImageBatchData(AnyDataFlow source, int64_t batch_size, imgaug::AnyAugmentor augmentor,
                 ImageBatchDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  int64_t batch_size_;
  imgaug::AnyAugmentor augmentor_;
  ImageBatchDataOptions options_;
};

}  // namespace belfry
