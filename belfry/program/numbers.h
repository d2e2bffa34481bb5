#pragma once

#include <span>

namespace belfry::internal {

/// What numbers a program takes to give what its graph does.
///
/// oneDNN's maximum returns the number where one of two is NaN, so that its relu makes 0 of NaN, and its
/// approximations of other functions know no infinities, and no numbers whose square is one. A NaN in a net's
/// input or weights would come out as a prediction like any other.
enum class Numbers {
  kAny,
  kNoNaN,     ///< but -infinity, as masks have it
  kOrdinary,  ///< between -kLargestOrdinary and kLargestOrdinary
};
inline constexpr float kLargestOrdinary = 0x1p64f;

/// Whether all of them are such. Takes the time of reading them once.
bool all_are(Numbers numbers, std::span<const float> values);

}  // namespace belfry::internal
