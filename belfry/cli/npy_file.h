#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace belfry::cli {

/// Throws DataError when `path` is no .npy file of numbers.
at::Tensor load_npy(const std::string& path);
/// The file appears complete or not at all. Throws UsageError for dtypes that numpy has not.
void save_npy(const std::string& path, const at::Tensor& tensor);

}  // namespace belfry::cli
