#include "belfry/formats/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace belfry {

uint32_t crc32c(ByteSpan bytes, uint32_t previous) {
  // ISA-L takes an int length and leaves the inversions before and after to the caller.
  constexpr size_t kMaxPiece = 1u << 30;
  uint32_t crc = ~previous;
  while (!bytes.empty()) {
    ByteSpan piece = bytes.first(std::min(bytes.size(), kMaxPiece));
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(piece.data()));
    crc = crc32_iscsi(data, static_cast<int>(piece.size()), crc);
    bytes = bytes.subspan(piece.size());
  }
  return ~crc;
}

}  // namespace belfry
