#include "belfry/data/datasets/mat_datasets.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/data/datasets/internal/mat_file.h"
#include "belfry/data/images/internal/encoded_image.h"
#include "belfry/dataflow/datasets/verify_files.h"
#include "belfry/dataflow/file_bytes.h"
#include "belfry/dataflow/internal/hidden_files.h"
#include "belfry/dataflow/internal/indexed_pass.h"

namespace belfry {
namespace {

void check_name(std::string_view who, const std::string& name,
                std::initializer_list<std::string_view> known) {
  if (std::ranges::find(known, name) != known.end()) return;
  throw UsageError(fmt::format("[{}] expected one of {}, got '{}'", who, fmt::join(known, ", "), name));
}

at::Tensor checked_labels(const at::Tensor& labels, int64_t count, int64_t first, int64_t last,
                          const std::string& path) {
  const at::Tensor flat = labels.reshape({-1}).to(at::kLong);
  if (flat.numel() != count)
    throw DataError(path, fmt::format("expected {} labels, got {}", count, flat.numel()));
  if (count > 0 && (flat.min().item<int64_t>() < first || flat.max().item<int64_t>() > last))
    throw DataError(path, fmt::format("expected labels from {} to {}, got others", first, last));
  return flat;
}

std::vector<at::Tensor> read_svhn(const std::string& name, const std::string& folder) {
  check_name("SVHNDigit", name, {"train", "test", "extra"});
  const std::string path = folder + "/" + name + "_32x32.mat";
  const internal::MatFile file(
      path, "a file of SVHN's cropped digits (format 2 of ufldl.stanford.edu/housenumbers)");
  const at::Tensor images = file.array("X");
  if (images.dim() != 4 || images.sizes().slice(0, 3) != at::IntArrayRef({32, 32, 3}) ||
      images.scalar_type() != at::kByte) {
    throw DataError(path, fmt::format("expected X to be uint8 [32, 32, 3, images], got {} [{}]",
                                      c10::toString(images.scalar_type()), fmt::join(images.sizes(), ", ")));
  }
  at::Tensor labels = checked_labels(file.array("y"), images.size(3), 1, 10, path);
  labels.remainder_(10);  // MATLAB counts from 1: 10 is the digit 0
  return {images.permute({3, 0, 1, 2}).contiguous(), labels};
}

std::vector<at::Tensor> read_silhouettes(const std::string& name, const std::string& folder) {
  check_name("Caltech101Silhouettes", name, {"train", "test", "val"});
  const std::string path = folder + "/caltech101_silhouettes_28_split1.mat";
  const internal::MatFile file(path, "the file of Caltech 101 silhouettes (people.cs.umass.edu/~marlin)");
  const at::Tensor images = file.array(name + "_data");
  if (images.dim() != 2 || images.size(1) != 28 * 28) {
    throw DataError(path, fmt::format("expected {}_data to be [images, 784], got [{}]", name,
                                      fmt::join(images.sizes(), ", ")));
  }
  const at::Tensor labels = checked_labels(file.array(name + "_labels"), images.size(0), 1, 101, path);
  return {images.to(at::kByte).view({-1, 28, 28}), labels.sub(1)};
}

at::Tensor read_edges(const std::string& path) {
  const internal::MatFile file(path, "an image's ground truth of BSR_bsds500.tgz");
  const std::vector<at::Tensor> annotators = file.arrays_in_cells("groundTruth", "Boundaries");
  if (annotators.empty()) throw DataError(path, "expected the boundaries of an annotator, got none");
  at::Tensor sum = annotators[0].to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  for (size_t i = 1; i < annotators.size(); ++i) {
    if (annotators[i].sizes() != sum.sizes())
      throw DataError(path, "expected boundaries of one size, got several");
    sum += annotators[i];
  }
  return sum.div_(static_cast<double>(annotators.size()));
}

at::Tensor read_picture(const std::string& path) {
  const at::Tensor file = read_file_bytes(path);
  return imgaug::decode_image(imgaug::internal::bytes_of(file), {.name = path});
}

/// Rows and columns exchanged where there are more rows.
at::Tensor turned(const at::Tensor& picture, const std::string& path) {
  const at::Tensor wide = picture.size(0) > picture.size(1) ? picture.transpose(0, 1).contiguous() : picture;
  if (wide.size(0) != 321 || wide.size(1) != 481) {
    throw DataError(path, fmt::format("expected a picture of 321 x 481 or 481 x 321, got {} x {}",
                                      picture.size(0), picture.size(1)));
  }
  return wide;
}

}  // namespace

SVHNDigit::SVHNDigit(const std::string& name, const std::string& folder, DataFromTensorsOptions options)
    : DataFromTensors(read_svhn(name, folder), options) {}

void SVHNDigit::verify(const std::string& name, const std::string& folder) {
  check_name("SVHNDigit", name, {"train", "test", "extra"});
  const char* md5 = name == "train"  ? "e26dedcc434d2e4c54c9b2d4a06d8373"
                    : name == "test" ? "eb5a983be6a315427106f1b164d9cef3"
                                     : "a93ce644f1a588dc4d68dda5feec44a7";
  verify_files(folder, {{name + "_32x32.mat", md5}});
}

at::Tensor SVHNDigit::get_per_pixel_mean() const {
  return at::mean(tensors()[0], 0, /*keepdim=*/false, at::kFloat);
}

at::Tensor SVHNDigit::get_per_pixel_mean(const std::vector<std::string>& names, const std::string& folder) {
  if (names.empty()) throw UsageError("[SVHNDigit] expected parts of the data set for a mean, got none");
  at::Tensor sum = at::zeros({32, 32, 3}, at::kDouble);
  int64_t count = 0;
  for (const std::string& name : names) {
    const at::Tensor images = read_svhn(name, folder)[0];
    sum += at::sum(images, 0, /*keepdim=*/false, at::kDouble);
    count += images.size(0);
  }
  if (count == 0) throw DataError(folder, "expected images for a mean, got none");
  return (sum / static_cast<double>(count)).to(at::kFloat);
}

Caltech101Silhouettes::Caltech101Silhouettes(const std::string& name, const std::string& folder,
                                             DataFromTensorsOptions options)
    : DataFromTensors(read_silhouettes(name, folder), options) {}

BSDS500::BSDS500(const std::string& name, const std::string& folder, BSDS500Options options)
    : data_(folder + "/BSR/BSDS500/data"), name_(name), options_(options) {
  check_name("BSDS500", name, {"train", "test", "val"});
  const std::string images = data_ + "/images/" + name;
  constexpr std::string_view kExtension = ".jpg";
  std::vector<std::string> ids;
  for (std::string file : FileSystem::posix().list(images)) {
    if (!file.ends_with(kExtension) || internal::is_hidden(file)) continue;
    file.resize(file.size() - kExtension.size());
    ids.push_back(std::move(file));
  }
  if (ids.empty()) throw DataError(images, "expected the images of BSR_bsds500.tgz, found none");
  ids_ = std::make_shared<const std::vector<std::string>>(std::move(ids));
}

DataIterator BSDS500::start_pass(int64_t pass) {
  std::optional<Rng> rng;
  if (options_.shuffle) rng.emplace(options_.seed, static_cast<uint64_t>(pass));
  return internal::indexed_pass(
      *size(), std::move(rng), [ids = ids_, data = data_, name = name_, decode = options_.decode](int64_t i) {
        const std::string& id = (*ids)[static_cast<size_t>(i)];
        const std::string image = fmt::format("{}/images/{}/{}.jpg", data, name, id);
        const std::string edges = fmt::format("{}/groundTruth/{}/{}.mat", data, name, id);
        if (!decode) return Datapoint{read_file_bytes(image), read_edges(edges)};
        return Datapoint{turned(read_picture(image), image), turned(read_edges(edges), edges)};
      });
}

}  // namespace belfry
