#pragma once

#include <memory>
#include <string>

#include "belfry/base/file_system.h"
#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// The bytes that tensorpack's `dumps` makes of a datapoint of numpy arrays (of numpy scalars where a tensor
/// has no dimensions) and of text, a dict where components have names, under TENSORPACK_SERIALIZE=msgpack.
/// Throws UsageError for tensors that numpy has no type for (bfloat16) or that are larger than 4 GiB, and for
/// other objects than text. Safe to call from any thread.
std::string dumps(const Datapoint& datapoint);

/// The datapoint that `dumps` wrote, or tensorpack's `dumps`: MessagePack, and also pickles, its default, of
/// which only plain values and numpy's arrays are read, never code. Numbers become scalar tensors (Python's
/// int an int64, float a float64), text a component of text (make_text), bytes uint8 [length], lists of equal
/// values tensors. A dict becomes a datapoint with names. `where` names the bytes in messages. Throws
/// DataError, with `where`, when the bytes are damaged, or hold what is no tensor. Safe to call from any
/// thread; memory never exceeds a fixed multiple of the bytes.
///
/// With an `owner`, which keeps the bytes alive and as they are, large arrays that lie as tensors want them
/// are not copied: the tensors refer to the bytes, and own a share of `owner`.
Datapoint loads(ByteSpan bytes, const std::string& where = "datapoint",
                const std::shared_ptr<const void>& owner = nullptr);

}  // namespace belfry
