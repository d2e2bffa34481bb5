#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>

#include "belfry/data/codecs/decode_image.h"
#include "belfry/dataflow/file_bytes.h"

/// The picture in a JPEG or PNG file: uint8 [H, W, 3]. Throws DataError with the path when it cannot be read.
inline at::Tensor read_image(const std::string& path,
                             belfry::imgaug::PixelOrder order = belfry::imgaug::PixelOrder::kRgb) {
  const at::Tensor file = belfry::read_file_bytes(path);
  const std::span bytes(file.const_data_ptr<uint8_t>(), file.nbytes());
  return belfry::imgaug::decode_image(std::as_bytes(bytes), {.order = order, .name = path});
}
