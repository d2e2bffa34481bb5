#pragma once

#include <cstddef>
#include <string_view>

namespace belfry {

/// How many letters have to be put in, left out or changed to make one of the other (Levenshtein), to suggest
/// what was meant.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace belfry
