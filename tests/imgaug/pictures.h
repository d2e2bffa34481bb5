#pragma once

#include <ATen/ops/empty.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/base/rng.h"

namespace belfry::test {

inline std::string load(const std::string& path) {
  constexpr uint64_t kMaxSize = 1 << 24;
  return read_file(FileSystem::posix(), path, kMaxSize);
}

/// uint8 [height, width, channels]: blocks of colour, and some noise.
inline at::Tensor random_picture(int64_t height, int64_t width, int64_t channels) {
  at::Tensor picture = at::empty({height, width, channels}, at::kByte);
  Rng rng(7);
  for (int64_t i = 0; i < picture.numel(); ++i) {
    const int64_t x = i / channels % width, y = i / channels / width;
    picture.mutable_data_ptr<uint8_t>()[i] =
        static_cast<uint8_t>((x / 11 * 40 + y / 7 * 25 + i % channels * 50 + rng.below(20)) % 256);
  }
  return picture;
}

/// Paths of some photos of different sizes, sorted; none where they are missing.
inline std::vector<std::string> photos() {
  std::vector<std::string> paths;
  const std::string folder = "../shared/data/photos";
  if (!std::filesystem::exists(folder)) return paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".JPEG") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}
inline constexpr const char* kNoPhotos = "no photos in ../shared/data/photos";

}  // namespace belfry::test
