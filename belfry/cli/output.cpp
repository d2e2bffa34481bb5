#include "belfry/cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "belfry/base/printable.h"

namespace belfry::cli {

std::string human_size(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  double size = static_cast<double>(bytes);
  const char* unit = "KMGTPE";
  // 1023.95 would be printed as 1024.0.
  for (size /= 1024; size >= 1023.95 && unit[1]; size /= 1024) ++unit;
  return fmt::format("{:.1f}{}iB", size, *unit);
}

std::string compact(const Shape& shape) {
  std::string text = to_string(shape);
  std::erase(text, ' ');
  return text;
}

void print_line(const std::string& line) {
  fmt::print("{}\n", printable(line));
}

// Escaped here, as the widths of columns depend on it.
void Table::add(std::vector<std::string> words) {
  for (std::string& word : words) word = printable(word);
  rows_.push_back(std::move(words));
}

void Table::print() const {
  std::vector<size_t> widths(columns_.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += columns_[i] == kLeft ? fmt::format("{:<{}}", row[i], widths[i])
                                   : fmt::format("{:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    print_line(line);
  }
}

void print_json(const nlohmann::ordered_json& document) {
  fmt::print("{}\n", document.dump(2, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace));
}

}  // namespace belfry::cli
