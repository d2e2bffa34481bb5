#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "belfry/base/file_system.h"

namespace belfry {

/// What a file is by its first and last bytes, as words that go behind "looks like": "a gzip-compressed
/// file", "a Git LFS pointer: the file itself was not downloaded". None for what is not known. A guess, for
/// messages about files that are not what their reader expected: no reader decides by it alone.
std::optional<std::string_view> file_kind(ByteSpan content);
/// The kind of a checkpoint from before TensorFlow 0.12, or saved with SaverDef.V1.
inline constexpr std::string_view kV1Checkpoint = "a checkpoint of TensorFlow's old V1 format";

/// The same of a file whose beginning and end are read. Never throws: a file that cannot be read is of no
/// known kind.
std::optional<std::string_view> file_kind(const ReadableFile& file);
std::optional<std::string_view> file_kind(const std::string& path, FileSystem& files = FileSystem::posix());

/// " (looks like a gzip-compressed file)", or nothing: for the end of a message.
std::string looks_like(ByteSpan content);
std::string looks_like(const ReadableFile& file);
std::string looks_like(const std::string& path, FileSystem& files = FileSystem::posix());

}  // namespace belfry
