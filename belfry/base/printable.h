#pragma once

#include <string>
#include <string_view>

namespace belfry {

/// `text` as one line that a terminal only shows. Control characters (line breaks and escape sequences among
/// them), what turns the direction of writing, and bytes that are no UTF-8 become \n, \x1b, \u202e, \xff and
/// the like; all else, a backslash too, stays, so that doing it twice changes nothing.
std::string printable(std::string_view text);

}  // namespace belfry
