#pragma once

#include <string>
#include <vector>

namespace belfry::internal {

/// The lines of a text file, without ends and trailing blanks; empty ones are left out. Throws DataError when
/// it is missing, where `source` says what was expected ("a file of …").
std::vector<std::string> text_lines(const std::string& path, const std::string& source);

/// The parts of `text` between separators.
std::vector<std::string> split(const std::string& text, char separator);

}  // namespace belfry::internal
