#include "belfry/dataflow/datasets/cifar.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include "belfry/dataflow/internal/data_file.h"

namespace belfry {
namespace {

// A record is a label byte, then the 32 x 32 bytes of the red plane, the green and the blue.
constexpr int64_t kRecordsPerFile = 10000, kSide = 32, kChannels = 3, kRecord = 1 + kChannels * kSide * kSide;

void read_file(const std::string& folder, const std::string& name, at::Tensor images, at::Tensor labels) {
  internal::DataFile file(
      folder, name,
      fmt::format("{} bytes ({} records of {})", kRecordsPerFile * kRecord, kRecordsPerFile, kRecord));
  std::vector<uint8_t> bytes = file.read(kRecordsPerFile * kRecord);
  file.expect_end();
  for (size_t offset = 0; offset < bytes.size(); offset += kRecord) {
    if (bytes[offset] >= 10)
      file.fail(offset, fmt::format("expected a label below 10, got {}", bytes[offset]));
  }
  at::Tensor records = at::from_blob(bytes.data(), {kRecordsPerFile, kRecord}, at::TensorOptions(at::kByte));
  labels.copy_(records.select(1, 0));
  images.copy_(records.slice(1, 1).view({kRecordsPerFile, kChannels, kSide, kSide}).permute({0, 2, 3, 1}));
}

std::vector<at::Tensor> read(Split split, const std::string& folder) {
  std::vector<std::string> names{"test_batch.bin"};
  if (split == Split::kTrain) {
    names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
             "data_batch_5.bin"};
  }
  const int64_t count = static_cast<int64_t>(names.size()) * kRecordsPerFile;
  at::Tensor images = at::empty({count, kSide, kSide, kChannels}, at::kByte);
  at::Tensor labels = at::empty({count}, at::kLong);
  int64_t begin = 0;
  for (const std::string& name : names) {
    read_file(folder, name, images.narrow(0, begin, kRecordsPerFile),
              labels.narrow(0, begin, kRecordsPerFile));
    begin += kRecordsPerFile;
  }
  return {images, labels};
}

}  // namespace

Cifar10::Cifar10(Split split, const std::string& folder) : DataFromTensors(read(split, folder)) {}

}  // namespace belfry
