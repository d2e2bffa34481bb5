#pragma once

#include <string>

#include "belfry/base/file_system.h"
#include "belfry/formats/python_value.h"

namespace belfry {

/// Whether `bytes` begin as a pickle of protocol 2 to 5 does, which no MessagePack list does.
bool is_pickle(ByteSpan bytes);

/// The value in a pickle (protocol 2 to 5) of what a PythonValue can hold; a view of `bytes`. Nothing is ever
/// imported or called: what is not a plain value or a numpy array, scalar or dtype is refused. Throws
/// DataError with `where` and the offset for that, for damage, and for pickles that repeat a value so often
/// that they would take much more memory than `bytes`.
PythonValue parse_pickle(const std::string& where, ByteSpan bytes);

}  // namespace belfry
