#include "belfry/dataflow/datasets/mnist.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include "belfry/dataflow/datasets/verify_files.h"
#include "belfry/dataflow/internal/data_file.h"

namespace belfry {
namespace {

constexpr uint32_t kImagesMagic = 2051, kLabelsMagic = 2049;  // IDX: unsigned bytes in 3 and in 1 dimensions
constexpr int64_t kSide = 28;

void expect_header(internal::DataFile& file, const char* field, uint32_t expected) {
  const uint64_t offset = file.offset();
  const uint32_t got = file.read_be32();
  if (got != expected) file.fail(offset, fmt::format("expected {} {}, got {}", field, expected, got));
}

at::Tensor bytes_to(std::vector<uint8_t> bytes, at::IntArrayRef shape, at::ScalarType dtype) {
  return at::from_blob(bytes.data(), shape, at::TensorOptions(at::kByte)).to(dtype);
}

at::Tensor read_images(const std::string& folder, const std::string& name, int64_t standard_count) {
  internal::DataFile file(folder, name,
                          fmt::format("{} images of 28 x 28 bytes after a header of 16", standard_count));
  expect_header(file, "magic number", kImagesMagic);
  const int64_t count = file.read_be32();
  expect_header(file, "rows", kSide);
  expect_header(file, "columns", kSide);
  std::vector<uint8_t> pixels = file.read(static_cast<uint64_t>(count * kSide * kSide));
  file.expect_end();
  return bytes_to(std::move(pixels), {count, kSide, kSide, 1}, at::kFloat).div_(255);
}

at::Tensor read_labels(const std::string& folder, const std::string& name, int64_t expected_count) {
  internal::DataFile file(folder, name,
                          fmt::format("{} labels of a byte after a header of 8", expected_count));
  expect_header(file, "magic number", kLabelsMagic);
  expect_header(file, "labels, as there are images,", static_cast<uint32_t>(expected_count));
  const uint64_t begin = file.offset();
  std::vector<uint8_t> labels = file.read(static_cast<uint64_t>(expected_count));
  file.expect_end();
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 10) file.fail(begin + i, fmt::format("expected a label below 10, got {}", labels[i]));
  }
  return bytes_to(std::move(labels), {expected_count}, at::kLong);
}

std::vector<at::Tensor> read(Split split, const std::string& folder) {
  const std::string part = split == Split::kTrain ? "train" : "t10k";
  at::Tensor images =
      read_images(folder, part + "-images-idx3-ubyte", split == Split::kTrain ? 60000 : 10000);
  at::Tensor labels = read_labels(folder, part + "-labels-idx1-ubyte", images.size(0));
  return {images, labels};
}

}  // namespace

Mnist::Mnist(Split split, const std::string& folder, DataFromTensorsOptions options)
    : DataFromTensors(read(split, folder), options) {}

void Mnist::verify(Split split, const std::string& folder) {
  if (split == Split::kTrain) {
    verify_files(folder, {{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                          {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"}});
  } else {
    verify_files(folder, {{"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
                          {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"}});
  }
}

void FashionMnist::verify(Split split, const std::string& folder) {
  if (split == Split::kTrain) {
    verify_files(folder, {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                          {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"}});
  } else {
    verify_files(folder, {{"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                          {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}});
  }
}

std::vector<std::string> FashionMnist::get_label_names() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
}

}  // namespace belfry
