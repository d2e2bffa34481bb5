#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace belfry::internal {

/// The LevelDB table ("sstable") that holds a checkpoint's index:
///
///     data blocks | metaindex block | index block | footer: two block handles, padding, magic
///
/// A handle is two varints, offset and size; a block is followed by its compression type (one byte) and the
/// masked CRC-32C of block and type.
///
/// Calls `visit` for each entry, keys strictly ascending; the views live as long as `bytes`, the key only
/// during the call. Every length is compared with `bytes` before it is used, and every sum is checked, so
/// damage is never taken for content. Throws DataError naming `path`; entries may have been visited by then.
void read_table(const std::string& path, std::string_view bytes,
                const std::function<void(std::string_view key, std::string_view value)>& visit);

/// The table of `entries`, byte for byte as TensorFlow writes it: uncompressed, blocks of 256 KiB.
std::string build_table(const std::map<std::string, std::string>& entries);

}  // namespace belfry::internal
