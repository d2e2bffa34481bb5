#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belfry::internal {

/// One file of a folder of shards.
struct Shard {
  std::string name;
  /// Where each record begins, and at last where the file ends.
  std::vector<int64_t> offsets;

  int64_t size() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// Writes the index of `folder`; it appears when it is complete.
void write_shard_index(const std::string& folder, const std::vector<Shard>& shards);

/// Throws DataError when there is no index, or it is damaged or impossible, or a file has another size than
/// it says.
std::vector<Shard> read_shard_index(const std::string& folder);

}  // namespace belfry::internal
