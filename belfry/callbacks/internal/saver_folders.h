#pragma once

#include <string>
#include <vector>

namespace belfry::internal {

/// Extension of a graph: the folders into which its ModelSavers save.
struct SaverFolders {
  std::vector<std::string> list;
};

}  // namespace belfry::internal
