#pragma once

#include <cstddef>
#include <limits>
#include <string>

namespace belfry {

/// What a JSON text must keep to before it is worth its memory as values.
struct JsonLimits {
  size_t depth = 8;                                  ///< of lists and objects in each other
  size_t list = std::numeric_limits<size_t>::max();  ///< elements of one list
  bool unique_keys = false;                          ///< no object may have a key twice
};

/// Reads `text` once, without keeping its values, in time linear in its length. Throws DataError as `what` of
/// `where` when it is no JSON, goes beyond the limits, or has more lists and objects than an honest text of
/// its length.
void check_json(const std::string& where, const std::string& what, const std::string& text,
                const JsonLimits& limits);

}  // namespace belfry
