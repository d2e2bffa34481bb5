#include "belfry/dataflow/datasets/cifar.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/data_file.h"
#include "belfry/dataflow/internal/text_lines.h"

namespace belfry {
namespace {

constexpr int64_t kRecordsPerFile = 10000, kTrainRecords = 50000, kSide = 32, kChannels = 3,
                  kPixels = kChannels * kSide * kSide;

// A record is its label bytes, then the 32 x 32 bytes of the red plane, the green and the blue.
struct Format {
  int64_t label_bytes;
  int64_t label_byte;  // the one to use
  int64_t classes;

  int64_t record() const { return label_bytes + kPixels; }
};

void read_file(const std::string& folder, const std::string& name, const Format& format, at::Tensor images,
               at::Tensor labels) {
  const int64_t count = labels.size(0), record = format.record();
  internal::DataFile file(folder, name,
                          fmt::format("{} bytes ({} records of {})", count * record, count, record));
  std::vector<uint8_t> bytes = file.read(static_cast<uint64_t>(count * record));
  file.expect_end();
  for (int64_t i = 0; i < count; ++i) {
    const auto offset = static_cast<size_t>(i * record + format.label_byte);
    if (bytes[offset] >= format.classes)
      file.fail(offset, fmt::format("expected a label below {}, got {}", format.classes, bytes[offset]));
  }
  at::Tensor records = at::from_blob(bytes.data(), {count, record}, at::TensorOptions(at::kByte));
  labels.copy_(records.select(1, format.label_byte));
  images.copy_(
      records.slice(1, format.label_bytes).view({count, kChannels, kSide, kSide}).permute({0, 2, 3, 1}));
}

std::vector<at::Tensor> read(const std::vector<std::string>& names, int64_t records_per_file,
                             const Format& format, const std::string& folder) {
  const int64_t count = static_cast<int64_t>(names.size()) * records_per_file;
  at::Tensor images = at::empty({count, kSide, kSide, kChannels}, at::kByte);
  at::Tensor labels = at::empty({count}, at::kLong);
  int64_t begin = 0;
  for (const std::string& name : names) {
    read_file(folder, name, format, images.narrow(0, begin, records_per_file),
              labels.narrow(0, begin, records_per_file));
    begin += records_per_file;
  }
  return {images, labels};
}

std::vector<at::Tensor> read_10(Split split, const std::string& folder) {
  std::vector<std::string> names{"test_batch.bin"};
  if (split == Split::kTrain) {
    names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
             "data_batch_5.bin"};
  }
  return read(names, kRecordsPerFile, {.label_bytes = 1, .label_byte = 0, .classes = 10}, folder);
}

std::vector<at::Tensor> read_100(Split split, const std::string& folder, bool coarse_labels) {
  const Format coarse{.label_bytes = 2, .label_byte = 0, .classes = 20};
  const Format fine{.label_bytes = 2, .label_byte = 1, .classes = 100};
  const bool is_train = split == Split::kTrain;
  return read({is_train ? "train.bin" : "test.bin"}, is_train ? kTrainRecords : kRecordsPerFile,
              coarse_labels ? coarse : fine, folder);
}

}  // namespace

at::Tensor CifarBase::get_per_pixel_mean() const {
  return at::mean(tensors()[0], 0, /*keepdim=*/false, at::kFloat);
}

at::Tensor CifarBase::get_per_channel_mean() const {
  return get_per_pixel_mean().mean({0, 1});
}

at::Tensor CifarBase::get_per_pixel_mean(const std::vector<Split>& splits) const {
  if (splits.empty()) throw UsageError("[Cifar] expected parts of the data set for a mean, got none");
  at::Tensor sum;
  int64_t count = 0;
  for (Split split : splits) {
    const at::Tensor images = read_(split)[0];
    const at::Tensor part = at::sum(images, 0, /*keepdim=*/false, at::kDouble);
    sum = sum.defined() ? sum + part : part;
    count += images.size(0);
  }
  return (sum / static_cast<double>(count)).to(at::kFloat);
}

at::Tensor CifarBase::get_per_channel_mean(const std::vector<Split>& splits) const {
  return get_per_pixel_mean(splits).mean({0, 1});
}

Cifar10::Cifar10(Split split, const std::string& folder, DataFromTensorsOptions options)
    : CifarBase(
          split, [folder](Split part) { return read_10(part, folder); }, options) {}

std::vector<std::string> Cifar10::get_label_names() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

Cifar100::Cifar100(Split split, const std::string& folder, Cifar100Options options)
    : CifarBase(
          split,
          [folder, coarse = options.coarse_labels](Split part) { return read_100(part, folder, coarse); },
          {.shuffle = options.shuffle, .seed = options.seed}),
      folder_(folder),
      coarse_labels_(options.coarse_labels) {}

std::vector<std::string> Cifar100::get_label_names() const {
  const std::string path = folder_ + (coarse_labels_ ? "/coarse_label_names.txt" : "/fine_label_names.txt");
  const size_t classes = coarse_labels_ ? 20 : 100;
  std::vector<std::string> names = internal::text_lines(path, "a file of cifar-100-binary.tar.gz");
  if (names.size() != classes)
    throw DataError(path, fmt::format("expected {} names, got {}", classes, names.size()));
  return names;
}

}  // namespace belfry
