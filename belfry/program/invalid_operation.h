#pragma once

namespace belfry::internal {

// The processor notes "invalid operation" when NaN comes of numbers (inf - inf, 0 * inf), and on x86 also
// when NaN meets a maximum, a minimum or an ordered comparison, which is where vectorised kernels lose it:
// max(NaN, 0) is 0 there. So without the note no NaN was lost; with it one may have been. To read the note
// costs some nanoseconds, where a look at all values costs as much as some operators.
//
// Both are about the calling thread and those that work for it. Valgrind does not keep the note.

void forget_invalid_operations();
bool any_invalid_operation();

}  // namespace belfry::internal
