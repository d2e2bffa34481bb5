#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry::cli {

/// "512B", "48.2KiB": units of 1024.
std::string human_size(uint64_t bytes);

/// "[?,3,1,32]": without blanks, so that it is one column to awk and sort.
std::string compact(const Shape& shape);

/// Writes a line to stdout. What names of files would do to a terminal is escaped, as it is in all that is
/// printed through this header.
void print_line(const std::string& line);
template <typename... Args>
void print_line(fmt::format_string<Args...> format, Args&&... args) {
  print_line(fmt::format(format, std::forward<Args>(args)...));
}

/// Rows of words, printed to stdout as columns with blanks between.
class Table {
 public:
  enum Align { kLeft, kRight };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  /// Requires: as many words as columns.
  void add(std::vector<std::string> words);
  void print() const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// One document in ASCII, with a newline after it. Numbers that JSON has not (NaN, infinity) are null; bytes
/// of names that are no UTF-8 become U+FFFD.
void print_json(const nlohmann::ordered_json& document);

}  // namespace belfry::cli
