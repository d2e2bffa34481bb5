#include "belfry/graph/collection.h"

#include "belfry/graph/graph.h"

namespace belfry {

CollectionGuard::CollectionGuard(Graph& graph) : graph_(&graph) {
  for (const auto& [key, members] : graph.collections()) sizes_[key] = members.size();
}

std::vector<Tensor> CollectionGuard::added(const std::string& key) const {
  const auto& members = graph_->collection(key);
  auto found = sizes_.find(key);
  const size_t before = found == sizes_.end() ? 0 : found->second;
  return {members.begin() + static_cast<std::ptrdiff_t>(std::min(before, members.size())), members.end()};
}

void CollectionGuard::restore(const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    auto found = sizes_.find(key);
    graph_->truncate_collection(key, found == sizes_.end() ? 0 : found->second);
  }
}

}  // namespace belfry
