#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace belfry::cli {

/// Throws UsageError unless save_checkpoint may write to `path`: not a folder, nor one file of a checkpoint.
void check_output(const std::string& path);

/// A checkpoint that a command makes, and what it says of it.
class Written {
 public:
  std::map<std::string, at::Tensor> tensors;
  /// Names of tensors that no format but their own can hold.
  std::vector<std::string> left_out;

  /// Writes the tensors to `path`, then says so on stdout, and on stderr what was left out.
  void save(const std::string& path, bool json) const;
};

/// The description of an argument OUT.
inline constexpr const char* kOutputHelp =
    "Where to write: .npz, .safetensors, or else the prefix of a TensorFlow checkpoint; what is there is "
    "replaced";

}  // namespace belfry::cli
