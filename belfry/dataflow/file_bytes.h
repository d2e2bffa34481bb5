#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace belfry {

/// The content of a file as uint8 [size]. The tensor's memory remembers the path, so that a later stage that
/// cannot use the content can say which file it is. Throws DataError with the path when it cannot be read.
at::Tensor read_file_bytes(const std::string& path);

/// The path of the file whose content `bytes` is, a tensor of read_file_bytes or a view of one; null for all
/// others, copies too. Valid while the tensor lives.
const std::string* file_of_bytes(const at::Tensor& bytes);

}  // namespace belfry
