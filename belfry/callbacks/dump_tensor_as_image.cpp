#include "belfry/callbacks/dump_tensor_as_image.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/nan_to_num.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/png.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// Bytes [N, H, W, C] of one image or several.
at::Tensor to_bytes(const at::Tensor& images, double scale) {
  const auto has_channels = [&] {
    const int64_t last = images.size(-1);
    return last == 1 || last == 3 || last == 4;
  };
  at::Tensor batch = images;
  if (batch.dim() == 2) batch = batch.unsqueeze(-1);
  if (batch.dim() == 3) batch = batch.unsqueeze(0);
  if (batch.dim() != 4 || !(images.dim() == 2 || has_channels())) {
    throw UsageError(
        fmt::format("[DumpTensorAsImage] expected images [H, W], [H, W, C] or [N, H, W, C] of 1, 3 or 4 "
                    "channels, got [{}]",
                    fmt::join(images.sizes(), ", ")));
  }
  const at::Tensor pixels = batch.to(at::kCPU, at::kFloat) * scale;
  return at::nan_to_num(pixels, 0, 255, 0).clamp(0, 255).to(at::kByte).contiguous();
}

}  // namespace

DumpTensorAsImage::DumpTensorAsImage(std::string tensor_name, DumpTensorAsImageOptions options)
    : tensor_name_(std::move(tensor_name)), options_(std::move(options)) {
  if (options_.prefix.empty()) options_.prefix = tensor_name_.substr(0, tensor_name_.find(':'));
}

void DumpTensorAsImage::before_train() {
  if (trainer().log_dir().empty())
    throw UsageError("[DumpTensorAsImage] expected a log_dir to write to, got none");
  tensor_ = trainer().graph().tensor(tensor_name_);
}

void DumpTensorAsImage::trigger() {
  at::Tensor value = trainer().session().run(tensor_);
  if (options_.map_func) value = options_.map_func(value);
  const at::Tensor images = to_bytes(value, options_.scale);
  std::string stem = options_.prefix;
  std::ranges::replace(stem, '/', '-');
  for (int64_t i = 0; i < images.size(0); ++i) {
    const at::Tensor image = images[i];
    const std::string png = encode_png(
        std::span(image.const_data_ptr<uint8_t>(), static_cast<size_t>(image.numel())),
        static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), static_cast<int>(image.size(2)));
    const std::string number = value.dim() == 4 ? fmt::format("-{}", i) : "";
    write_file_atomically(
        FileSystem::posix(),
        fmt::format("{}/{}-ep{:03d}{}.png", trainer().log_dir(), stem, trainer().epoch_num(), number),
        as_byte_span(png));
  }
  trainer().monitors().put_image(options_.prefix, images);
}

}  // namespace belfry
