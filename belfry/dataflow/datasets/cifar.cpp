#include "belfry/dataflow/datasets/cifar.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>
#include <span>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/dataflow/internal/data_file.h"
#include "belfry/dataflow/internal/text_lines.h"
#include "belfry/formats/pickle.h"

// The binary version is files of records, the Python version pickled arrays of the same pixels. Source:
// "The CIFAR-10 dataset", by Alex Krizhevsky, which describes both.

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

/// Where the Python version of a data set is: `folder` or `name` in it, by the file `meta`.
std::optional<std::string> python_folder(const std::string& folder, const std::string& name,
                                         const std::string& meta) {
  std::error_code ignored;
  for (const std::string& place : {folder, folder + "/" + name})
    if (std::filesystem::is_regular_file(place + "/" + meta, ignored)) return place;
  return std::nullopt;
}

/// A pickled dict, and the bytes that it refers to.
class PickledDict {
 public:
  explicit PickledDict(std::string path)
      : path_(std::move(path)), bytes_(belfry::read_file(FileSystem::posix(), path_, kMaxPickle)) {
    PythonValue value = parse_pickle(path_, as_byte_span(bytes_));
    auto* dict = std::get_if<PythonDict>(&value.value);
    if (!dict) throw DataError(path_, "expected a pickled dict, got " + type_name(value));
    dict_ = std::move(*dict);
  }

  /// The value of `key`, of Python's type `Type`, which `expectation` describes.
  template <typename Type>
  const Type& get(const std::string& key, const std::string& expectation) const {
    for (size_t i = 0; i < dict_.keys.size(); ++i) {
      if (dict_.keys[i] != key) continue;
      if (const auto* value = std::get_if<Type>(&dict_.values[i].value)) return *value;
      fail(key, expectation, type_name(dict_.values[i]));
    }
    fail(key, expectation, "none");
  }
  [[noreturn]] void fail(const std::string& key, const std::string& expectation,
                         const std::string& given) const {
    throw DataError(path_, fmt::format("expected {} as '{}', got {}", expectation, key, given));
  }

 private:
  static constexpr uint64_t kMaxPickle = 256 << 20;

  std::string path_, bytes_;
  PythonDict dict_;
};

void read_pickle(const std::string& path, const std::string& labels_key, int64_t classes,
                 const at::Tensor& images, const at::Tensor& labels) {
  const PickledDict dict(path);
  const int64_t count = labels.size(0);
  const std::string pixels = fmt::format("an array uint8 [{}, {}]", count, kPixels);
  const auto& array = dict.get<PythonArray>("data", pixels);
  if (array.dtype != DataType::kUInt8 || array.shape != std::vector<int64_t>{count, kPixels})
    dict.fail("data", pixels, fmt::format("{} [{}]", to_string(array.dtype), fmt::join(array.shape, ", ")));
  at::Tensor rows = at::empty({count, kPixels}, at::kByte);
  copy_elements(array,
                std::as_writable_bytes(std::span(rows.mutable_data_ptr<uint8_t>(), array.elements.size())));
  images.copy_(rows.view({count, kChannels, kSide, kSide}).permute({0, 2, 3, 1}));

  const std::string expected = fmt::format("a list of {} labels below {}", count, classes);
  const auto& numbers = dict.get<PythonNumbers>(labels_key, expected);
  if (numbers.dtype != DataType::kInt64 || std::ssize(numbers.bits) != count)
    dict.fail(labels_key, expected, fmt::format("{} of {}", numbers.bits.size(), to_string(numbers.dtype)));
  auto label = labels.accessor<int64_t, 1>();
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t number = numbers.bits[static_cast<size_t>(i)];
    if (number >= static_cast<uint64_t>(classes))
      dict.fail(labels_key, expected, fmt::format("{} at place {}", static_cast<int64_t>(number), i));
    label[i] = static_cast<int64_t>(number);
  }
}

std::vector<at::Tensor> read_pickles(const std::string& folder, const std::vector<std::string>& names,
                                     int64_t images_per_file, const std::string& labels_key,
                                     int64_t classes) {
  const int64_t count = static_cast<int64_t>(names.size()) * images_per_file;
  at::Tensor images = at::empty({count, kSide, kSide, kChannels}, at::kByte);
  at::Tensor labels = at::empty({count}, at::kLong);
  int64_t begin = 0;
  for (const std::string& name : names) {
    read_pickle(folder + "/" + name, labels_key, classes, images.narrow(0, begin, images_per_file),
                labels.narrow(0, begin, images_per_file));
    begin += images_per_file;
  }
  return {images, labels};
}

std::optional<std::string> python_folder_100(const std::string& folder) {
  return python_folder(folder, "cifar-100-python", "meta");
}

std::vector<at::Tensor> read_10(Split split, const std::string& folder) {
  if (const auto pickles = python_folder(folder, "cifar-10-batches-py", "batches.meta")) {
    std::vector<std::string> names{"test_batch"};
    if (split == Split::kTrain)
      names = {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"};
    return read_pickles(*pickles, names, kRecordsPerFile, "labels", 10);
  }
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
  if (const auto pickles = python_folder_100(folder)) {
    return read_pickles(*pickles, {is_train ? "train" : "test"}, is_train ? kTrainRecords : kRecordsPerFile,
                        coarse_labels ? "coarse_labels" : "fine_labels", coarse_labels ? 20 : 100);
  }
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
  const std::string key = coarse_labels_ ? "coarse_label_names" : "fine_label_names";
  const size_t classes = coarse_labels_ ? 20 : 100;
  if (const auto pickles = python_folder_100(folder_)) {
    const PickledDict meta(*pickles + "/meta");
    const std::string expected = fmt::format("a list of {} names", classes);
    const auto& values = meta.get<PythonValue::List>(key, expected);
    if (values.size() != classes) meta.fail(key, expected, std::to_string(values.size()));
    std::vector<std::string> names;
    for (const PythonValue& value : values) {
      if (const auto* text = std::get_if<std::string_view>(&value.value)) {
        names.emplace_back(*text);
      } else if (const auto* bytes = std::get_if<ByteSpan>(&value.value)) {  // Python 2's text
        names.emplace_back(reinterpret_cast<const char*>(bytes->data()), bytes->size());
      } else {
        meta.fail(key, expected, type_name(value));
      }
    }
    return names;
  }
  const std::string path = folder_ + "/" + key + ".txt";
  std::vector<std::string> names = internal::text_lines(path, "a file of cifar-100-binary.tar.gz");
  if (names.size() != classes)
    throw DataError(path, fmt::format("expected {} names, got {}", classes, names.size()));
  return names;
}

}  // namespace belfry
