#include "belfry/dataflow/file_bytes.h"

#include <ATen/ops/from_blob.h>

#include <memory>

#include "belfry/base/file_system.h"

namespace belfry {
namespace {

struct FileBytes {
  std::string path;
  std::unique_ptr<std::byte[]> content;
};

// Memory that is freed by this function is a FileBytes: how it is known again.
void free_file_bytes(void* bytes) {
  delete static_cast<FileBytes*>(bytes);
}

}  // namespace

at::Tensor read_file_bytes(const std::string& path) {
  const auto file = FileSystem::posix().open(path);
  const uint64_t size = file->size();
  // Not cleared: all of it is read.
  auto bytes =
      std::make_unique<FileBytes>(FileBytes{path, std::unique_ptr<std::byte[]>(new std::byte[size])});
  std::byte* content = bytes->content.get();
  file->read(0, {content, size});
  return at::for_blob(content, {static_cast<int64_t>(size)})
      .context(bytes.release(), free_file_bytes)
      .options(at::TensorOptions(at::kByte))
      .make_tensor();
}

const std::string* file_of_bytes(const at::Tensor& bytes) {
  if (!bytes.defined() || !bytes.has_storage()) return nullptr;
  const auto* held = bytes.storage().data_ptr().cast_context<FileBytes>(free_file_bytes);
  return held ? &held->path : nullptr;
}

}  // namespace belfry
