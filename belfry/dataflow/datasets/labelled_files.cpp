#include "belfry/dataflow/datasets/labelled_files.h"

#include <ATen/ops/scalar_tensor.h>

#include "belfry/dataflow/file_bytes.h"
#include "belfry/dataflow/internal/indexed_pass.h"
#include "belfry/dataflow/internal/stored_tensor.h"

namespace belfry {
namespace {

at::Tensor path_tensor(const std::string& path) {
  return internal::tensor_of(PythonValue{as_byte_span(path)}, "LabelledFiles");
}

}  // namespace

LabelledFiles::LabelledFiles(std::vector<LabelledFile> files, LabelledFilesOptions options)
    : files_(std::make_shared<const std::vector<LabelledFile>>(std::move(files))), options_(options) {}

DataIterator LabelledFiles::start_pass(int64_t pass) {
  std::optional<Rng> rng;
  if (options_.shuffle) rng.emplace(options_.seed, static_cast<uint64_t>(pass));
  return internal::indexed_pass(*size(), std::move(rng), [files = files_, options = options_](int64_t i) {
    const LabelledFile& file = (*files)[static_cast<size_t>(i)];
    const at::Tensor bytes = options.paths_only ? path_tensor(file.path) : read_file_bytes(file.path);
    return Datapoint{bytes, at::scalar_tensor(file.label, at::kLong)};
  });
}

}  // namespace belfry
