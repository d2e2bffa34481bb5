#include "belfry/graph/collection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <unordered_set>
#include <utility>

#include "belfry/base/log.h"
#include "belfry/graph/graph.h"

// The reports are tensorpack's (tensorpack/tfutils/collection.py), word for word, as people look for them in
// logs.

namespace belfry {
namespace {

CollectionBackup backup_of(const Graph& graph, const std::optional<std::vector<std::string>>& keys) {
  if (!keys) return graph.collections();
  CollectionBackup backup;
  for (const std::string& key : *keys) backup[key] = graph.collection(key);
  return backup;
}

void restore_to(Graph& graph, const CollectionBackup& backup) {
  for (const auto& [key, members] : backup) {
    graph.truncate_collection(key, 0);
    for (const Tensor& member : members) graph.add_to_collection(key, member);
  }
}

}  // namespace

CollectionBackup backup_collection(const std::optional<std::vector<std::string>>& keys) {
  return backup_of(default_graph(), keys);
}

void restore_collection(const CollectionBackup& backup) {
  restore_to(default_graph(), backup);
}

FreezeCollection::FreezeCollection(const std::vector<std::string>& keys)
    : graph_(&default_graph()), backup_(backup_of(*graph_, keys)) {}
FreezeCollection::~FreezeCollection() {
  restore_to(*graph_, backup_);
}

CollectionGuard::CollectionGuard(Graph& graph) : CollectionGuard(graph, Options{}) {}

CollectionGuard::CollectionGuard(Graph& graph, Options options)
    : graph_(&graph),
      options_(std::move(options)),
      original_(graph.collections()),
      exceptions_(std::uncaught_exceptions()) {}

CollectionGuard::~CollectionGuard() {
  if (std::uncaught_exceptions() <= exceptions_) {
    for (const std::string& line : report()) log_info("{}", line);
  }
  restore(options_.freeze_keys);
}

std::vector<Tensor> CollectionGuard::added(const std::string& key) const {
  const auto found = original_.find(key);
  std::unordered_set<Tensor> before;
  if (found != original_.end()) before.insert(found->second.begin(), found->second.end());
  std::vector<Tensor> members = graph_->collection(key);
  std::erase_if(members, [&](const Tensor& member) { return before.contains(member); });
  return members;
}

void CollectionGuard::restore(const std::vector<std::string>& keys) {
  CollectionBackup backup;
  for (const std::string& key : keys) {
    const auto found = original_.find(key);
    backup[key] = found == original_.end() ? std::vector<Tensor>() : found->second;
  }
  restore_to(*graph_, backup);
}

std::vector<std::string> CollectionGuard::report() const {
  std::vector<std::string> created, changed, restored, lines;
  for (const auto& [key, members] : graph_->collections()) {
    const auto found = original_.find(key);
    const size_t before = found == original_.end() ? 0 : found->second.size();
    const std::string sizes = fmt::format("({}: {}->{})", key, before, members.size());
    if (std::ranges::count(options_.freeze_keys, key)) {
      if (members.size() != before) restored.push_back(sizes);
    } else if (options_.check_diff && !std::ranges::count(options_.diff_whitelist, key)) {
      if (found == original_.end()) {
        created.push_back(fmt::format("{} of size {}", key, members.size()));
      } else if (members.size() != before) {
        changed.push_back(sizes);
      }
    }
  }
  if (!created.empty())
    lines.push_back(
        fmt::format("New collections created in tower {}: {}", options_.name, fmt::join(created, ", ")));
  if (!changed.empty())
    lines.push_back(fmt::format("Size of these collections were changed in {}: {}", options_.name,
                                fmt::join(changed, ", ")));
  if (!restored.empty())
    lines.push_back(fmt::format("These collections were modified but restored in {}: {}", options_.name,
                                fmt::join(restored, ", ")));
  return lines;
}

}  // namespace belfry
