#include "belfry/dataflow/datasets/labelled_files.h"

#include <ATen/ops/scalar_tensor.h>

#include "belfry/dataflow/internal/indexed_pass.h"
#include "belfry/dataflow/internal/stored_tensor.h"

namespace belfry {
namespace {

constexpr uint64_t kMaxFileSize = uint64_t{1} << 32;

at::Tensor bytes_tensor(const std::string& bytes) {
  return internal::tensor_of(PythonValue{as_byte_span(bytes)}, "LabelledFiles");
}

}  // namespace

LabelledFiles::LabelledFiles(std::vector<LabelledFile> files, LabelledFilesOptions options)
    : files_(std::make_shared<const std::vector<LabelledFile>>(std::move(files))), options_(options) {}

DataIterator LabelledFiles::start_pass(int64_t pass) {
  std::optional<Rng> rng;
  if (options_.shuffle) rng.emplace(options_.seed, static_cast<uint64_t>(pass));
  return internal::indexed_pass(*size(), std::move(rng), [files = files_, options = options_](int64_t i) {
    const LabelledFile& file = (*files)[static_cast<size_t>(i)];
    const std::string bytes =
        options.paths_only ? file.path : read_file(FileSystem::posix(), file.path, kMaxFileSize);
    return Datapoint{bytes_tensor(bytes), at::scalar_tensor(file.label, at::kLong)};
  });
}

}  // namespace belfry
