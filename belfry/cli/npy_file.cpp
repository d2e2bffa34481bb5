#include "belfry/cli/npy_file.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/formats/npy.h"

namespace belfry::cli {

at::Tensor load_npy(const std::string& path) {
  const auto file = FileSystem::posix().open(path);
  std::string head(std::min<uint64_t>(file->size(), kNpyPrefix), '\0');
  file->read(0, std::as_writable_bytes(std::span(head)));
  head.resize(std::min<uint64_t>(file->size(), npy_header_size(path, head)));
  file->read(0, std::as_writable_bytes(std::span(head)));

  const NpyHeader header = parse_npy_header(path, head);
  check_numbers(path, header);
  const auto size = byte_size(header.info.dtype, header.info.shape);
  if (!size || *size != file->size() - header.size) {
    throw DataError(path,
                    fmt::format("expected the elements of {} behind the header, got {} bytes",
                                describe(header.info.dtype, header.info.shape), file->size() - header.size));
  }
  at::Tensor tensor = at::empty(header.info.shape, to_dtype(header.info.dtype));
  const MutableByteSpan elements(static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes());
  file->read(header.size, elements);
  to_native_layout(header, elements);
  return tensor;
}

void save_npy(const std::string& path, const at::Tensor& tensor) {
  const at::Tensor dense = tensor.cpu().contiguous();
  AtomicFile file(FileSystem::posix(), path);
  file.append(as_byte_span(npy_header(to_stored(dense.scalar_type(), path), dense.sizes().vec())));
  file.append({static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes()});
  file.publish();
}

}  // namespace belfry::cli
