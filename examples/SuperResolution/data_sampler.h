#pragma once

// The images that enet_pat.cpp trains on, as a zip file of COCO has them.

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "belfry/data.h"

namespace enet_pat {
using namespace belfry;

/// The .jpg files in a zip file. Datapoint: {bytes uint8 [size]}.
class ImageDataFromZIPFile : public DataFlow {
 public:
  /// Throws DataError when `zip_file` is none.
  explicit ImageDataFromZIPFile(std::string zip_file, bool shuffle = false)
      : file_(std::move(zip_file)), shuffle_(shuffle) {
    const Archive archive = open(file_);
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
      const char* name = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
      if (name && std::string_view(name).ends_with(".jpg")) images_.push_back(static_cast<zip_uint64_t>(i));
    }
    if (images_.empty()) throw DataError(file_, "expected .jpg files in the archive, found none");
  }

  std::optional<int64_t> size() const override { return std::ssize(images_); }

  DataIterator start_pass(int64_t pass) override {
    std::vector<zip_uint64_t> order = images_;
    if (shuffle_) Rng(0, static_cast<uint64_t>(pass)).shuffle(order);
    size_t next = 0;
    return DataIterator([archive = open(file_), file = file_, order = std::move(order),
                         next]() mutable -> std::optional<Datapoint> {
      if (next == order.size()) return std::nullopt;
      return Datapoint{read(archive.get(), file, order[next++])};
    });
  }

 private:
  struct Close {
    void operator()(zip_t* archive) const { zip_discard(archive); }
    void operator()(zip_file_t* member) const { zip_fclose(member); }
  };
  using Archive = std::unique_ptr<zip_t, Close>;

  static Archive open(const std::string& file) {
    int code = 0;
    Archive archive(zip_open(file.c_str(), ZIP_RDONLY, &code));
    if (!archive) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string reason = zip_error_strerror(&error);
      zip_error_fini(&error);
      throw DataError(file, "expected a zip file: " + reason);
    }
    return archive;
  }

  static at::Tensor read(zip_t* archive, const std::string& file, zip_uint64_t index) {
    zip_stat_t stat;
    const std::unique_ptr<zip_file_t, Close> member(zip_fopen_index(archive, index, 0));
    if (!member || zip_stat_index(archive, index, 0, &stat) < 0)
      throw DataError(file, fmt::format("member {}: {}", index, zip_strerror(archive)));
    // A photograph has some 100 KB; what is said of its size takes no memory that it has not.
    constexpr zip_uint64_t kMost = 100'000'000;
    if (stat.size > kMost)
      throw DataError(file,
                      fmt::format("{}: expected at most {} bytes, got {}", stat.name, kMost, stat.size));
    const at::Tensor bytes = at::empty({static_cast<int64_t>(stat.size)}, at::kByte);
    // Reading on to the end compares the sum.
    char end = 0;
    if (zip_fread(member.get(), bytes.data_ptr(), stat.size) != static_cast<zip_int64_t>(stat.size) ||
        zip_fread(member.get(), &end, 1) != 0)
      throw DataError(file, fmt::format("{}: damaged", stat.name));
    return bytes;
  }

  std::string file_;
  bool shuffle_;
  std::vector<zip_uint64_t> images_;
};

// What is done to components: uint8 images [H, W, 3], of red, green and blue unless otherwise said.

inline at::Tensor image_decode(const at::Tensor& im_data,
                               imgaug::PixelOrder order = imgaug::PixelOrder::kRgb) {
  const std::span bytes(im_data.const_data_ptr<uint8_t>(), static_cast<size_t>(im_data.numel()));
  const std::string* path = file_of_bytes(im_data);
  return imgaug::decode_image(std::as_bytes(bytes), {.order = order, .name = path ? *path : "image"});
}

/// As a JPEG file whose red and blue are exchanged, which is how tensorpack's data_sampler.py writes it.
inline at::Tensor image_encode(const at::Tensor& img) {
  return imgaug::encode_jpeg(img, {.order = imgaug::PixelOrder::kBgr});
}

/// None for an image of fewer rows or columns than `thresh`.
inline std::optional<at::Tensor> reject_too_small_images(const at::Tensor& img, int64_t thresh = 384) {
  if (std::min(img.size(0), img.size(1)) < thresh) return std::nullopt;
  return img;
}

/// The middle of the image as a square of 256 x 256 (section 5.3 of the paper).
inline at::Tensor center_square_resize(const at::Tensor& img) {
  const int64_t h = img.size(0), w = img.size(1), off = std::abs(h - w) / 2;
  const at::Tensor square = img.narrow(h > w ? 0 : 1, off, std::max(h, w) - 2 * off);
  return imgaug::ResizeTransform(square.size(0), square.size(1), 256, 256).apply_image(square);
}

}  // namespace enet_pat
