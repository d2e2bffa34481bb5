#include "belfry/data/viz/dump_images.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <opencv2/imgproc.hpp>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/data/codecs/jpeg.h"
#include "belfry/data/imgaug/internal/mat.h"

namespace belfry::viz {
namespace {

at::Tensor component_of(const Datapoint& datapoint, int64_t index) {
  if (index < 0 || index >= static_cast<int64_t>(datapoint.size()) ||
      !datapoint[static_cast<size_t>(index)].defined()) {
    throw DataError(fmt::format("[dump_dataflow_images] expected a component {}, got {} components", index,
                                datapoint.size()));
  }
  return datapoint[static_cast<size_t>(index)];
}

/// uint8 [H, W, C], as large as it is to be written.
at::Tensor picture_of(const at::Tensor& component, const DumpImagesOptions& options) {
  const at::Tensor image = component.dim() == 2 ? component.unsqueeze(2) : component;
  if (image.dim() != 3 || (image.size(2) != 1 && image.size(2) != 3) || image.is_complex() ||
      image.numel() == 0) {
    throw DataError(fmt::format("[dump_dataflow_images] expected an image [H, W] or [H, W, 1 or 3], got [{}]",
                                fmt::join(component.sizes(), ", ")));
  }
  at::Tensor picture = image.detach().cpu();
  if (options.scale != 1) picture = picture.to(at::kFloat).mul(options.scale);
  if (picture.scalar_type() != at::kByte) picture = picture.to(at::kFloat);
  if (options.resize) {
    picture = imgaug::internal::with_mats(
        picture, options.resize->h, options.resize->w,
        [](const cv::Mat& from, cv::Mat& to) { cv::resize(from, to, to.size(), 0, 0, cv::INTER_LINEAR); });
  }
  return picture.scalar_type() == at::kByte ? picture : picture.round().clamp(0, 255).to(at::kByte);
}

}  // namespace

int64_t dump_dataflow_images(const AnyDataFlow& flow, const std::string& folder,
                             const DumpImagesOptions& options) {
  FileSystem& files = FileSystem::posix();
  files.make_dirs(folder);
  flow->reset_state();
  int64_t written = 0;
  const auto order = options.bgr ? imgaug::PixelOrder::kBgr : imgaug::PixelOrder::kRgb;
  DataIterator pass = flow->iterator();
  while (written < options.number) {
    const std::optional<Datapoint> datapoint = pass.next();
    if (!datapoint) break;
    const at::Tensor component = component_of(*datapoint, options.index);
    const std::vector<at::Tensor> images =
        options.batched && component.dim() > 0 ? component.unbind() : std::vector<at::Tensor>{component};
    for (const at::Tensor& image : images) {
      if (written == options.number) break;
      const at::Tensor picture = picture_of(image, options);
      const at::Tensor jpeg =
          imgaug::encode_jpeg(picture, {.order = picture.size(2) == 1 ? imgaug::PixelOrder::kGray : order});
      const std::string path = fmt::format("{}/{:03d}.jpg", folder, ++written);
      if (files.exists(path)) files.remove(path);
      const auto file = files.create(path);
      file->append({static_cast<const std::byte*>(jpeg.const_data_ptr()), jpeg.nbytes()});
      file->close();
    }
  }
  return written;
}

}  // namespace belfry::viz
