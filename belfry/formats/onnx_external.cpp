#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "belfry/base/error.h"
#include "belfry/formats/onnx.h"

namespace belfry {
namespace {

using std::filesystem::path;

/// Without looking at the disk.
bool is_below(const path& file) {
  return !file.empty() && file.is_relative() && file.string().find('\0') == std::string::npos &&
         std::find(file.begin(), file.end(), "..") == file.end();
}

/// With all symbolic links followed.
bool stays_below(const path& folder, const path& file) {
  std::error_code error;
  const path root = std::filesystem::weakly_canonical(folder, error);
  const path place = std::filesystem::weakly_canonical(folder / file, error);
  return !error && std::mismatch(root.begin(), root.end(), place.begin(), place.end()).first == root.end();
}

}  // namespace

const ReadableFile& OnnxExternalFiles::of(const OnnxTensor& tensor) {
  const OnnxExternalBytes& bytes = tensor.external.value();
  const std::string folder = folder_of(path_);
  if (!is_below(bytes.file) || !stays_below(folder, bytes.file)) {
    throw DataError(path_, fmt::format("the ONNX model keeps the tensor {} outside of its folder, in '{}'",
                                       tensor.info.name, bytes.file));
  }
  const std::string place = folder + "/" + bytes.file;
  auto& [file, given] = open_[bytes.file];
  if (!file) file = files_.open(place);
  if (bytes.offset > file->size() || bytes.length > file->size() - bytes.offset) {
    throw DataError(place, fmt::format("expected {} bytes from {} for the tensor {}, got a file of {} bytes",
                                       bytes.length, bytes.offset, tensor.info.name, file->size()));
  }
  if (bytes.length > file->size() - given) {
    throw DataError(
        place, fmt::format("expected tensors with bytes of their own, got {} that shares some with others",
                           tensor.info.name));
  }
  given += bytes.length;
  return *file;
}

}  // namespace belfry
