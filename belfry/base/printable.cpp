#include "belfry/base/printable.h"

#include <fmt/format.h>

#include <cstddef>

// Names come from files of strangers, and a terminal obeys what it is sent: colours, titles, the line before
// overwritten. UTF-8 as in RFC 3629; the control characters are Unicode's category Cc, the line and paragraph
// separators, and the marks of Unicode's bidirectional algorithm (UAX #9).

namespace belfry {
namespace {

/// A character and its bytes; no bytes when the text does not begin with UTF-8.
struct Character {
  char32_t code = 0;
  size_t length = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || length > text.size()) return {};
  char32_t code = byte(0) & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[length] || code > 0x10ffff || is_surrogate) return {};
  return {code, length};
}

bool is_shown(char32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool is_separator = code == 0x2028 || code == 0x2029;
  const bool is_direction = code == 0x61c || code == 0x200e || code == 0x200f ||
                            (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return !is_control && !is_separator && !is_direction;
}

std::string escape(char32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return code < 0x80 ? fmt::format("\\x{:02x}", uint32_t{code})
                         : fmt::format("\\u{:04x}", uint32_t{code});
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const Character next = first_character(text);
    const size_t length = next.length ? next.length : 1;
    if (next.length == 0) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (is_shown(next.code)) {
      shown += text.substr(0, length);
    } else {
      shown += escape(next.code);
    }
    text.remove_prefix(length);
  }
  return shown;
}

}  // namespace belfry
