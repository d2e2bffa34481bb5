#pragma once

#include <string>

namespace belfry {

/// A length of time for people: "1 day 3 hours 25 seconds", "0.5 second"; whole seconds from a minute on.
/// "None" for less than 0, and for what is no number.
std::string humanize_time_delta(double seconds);

}  // namespace belfry
