#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <fstream>
#include <string>

#include "belfry/base/error.h"
#include "belfry/data/codecs/jpeg.h"

/// Writes an image [H, W, 1] or [H, W, 3], RGB, of values in [0, 255] of any real dtype; what lies outside is
/// clamped. Throws DataError when the file cannot be written.
inline void write_jpeg(const std::string& path, const at::Tensor& image) {
  const at::Tensor bytes = belfry::imgaug::encode_jpeg(image.clamp(0, 255).to(at::kByte).contiguous());
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(bytes.data_ptr()), bytes.numel());
  if (!file.flush()) throw belfry::DataError(fmt::format("[write_jpeg] cannot write {}", path));
}
