#include "belfry/dataflow/internal/text_lines.h"

#include <fmt/format.h>

#include <sstream>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"

namespace belfry::internal {
namespace {

// The list of all 14 million images of ImageNet is smaller.
constexpr uint64_t kMaxTextSize = uint64_t{1} << 30;

}  // namespace

std::vector<std::string> text_lines(const std::string& path, const std::string& source) {
  if (!FileSystem::posix().exists(path))
    throw DataError(path, fmt::format("expected {}, found none", source));
  std::vector<std::string> lines;
  for (std::string& line : split(read_file(FileSystem::posix(), path, kMaxTextSize), '\n')) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

}  // namespace belfry::internal
