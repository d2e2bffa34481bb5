#include "belfry/cli/written.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/cli/output.h"

namespace belfry::cli {

void check_output(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || path.ends_with('/') || std::filesystem::is_directory(path, ignored)) {
    throw UsageError(fmt::format("expected a file or a prefix to write to, got the folder '{}'", path));
  }
  if (path.ends_with(".index")) {
    throw UsageError(fmt::format("expected the prefix of a checkpoint, got its file '{}'", path));
  }
}

void Written::save(const std::string& path, bool json) const {
  save_checkpoint(path, tensors);
  if (!left_out.empty()) log_warning("left out, as only numbers are kept: {}", fmt::join(left_out, ", "));
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.nbytes();
  if (json) {
    print_json({{"path", path}, {"tensors", tensors.size()}, {"bytes", bytes}, {"left_out", left_out}});
  } else {
    print_line("{}: {} tensors, {}", path, tensors.size(), human_size(bytes));
  }
}

}  // namespace belfry::cli
