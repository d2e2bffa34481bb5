#include "belfry/base/time_delta.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

namespace belfry {

std::string humanize_time_delta(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) return "None";
  const auto whole = static_cast<int64_t>(seconds);
  const struct {
    double value;
    const char* unit;
  } parts[] = {{std::floor(seconds / 86400), "day"},
               {static_cast<double>(whole / 3600 % 24), "hour"},
               {static_cast<double>(whole / 60 % 60), "minute"},
               {seconds < 60 ? seconds : static_cast<double>(whole % 60), "second"}};
  std::string text;
  for (const auto& [value, unit] : parts) {
    if (value > 0)
      text += fmt::format("{}{:.3g} {}{}", text.empty() ? "" : " ", value, unit, value > 1 ? "s" : "");
  }
  return text;
}

}  // namespace belfry
