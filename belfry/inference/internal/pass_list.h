#pragma once

#include <fmt/format.h>

#include <span>
#include <string>

#include "belfry/graph/function.h"
#include "belfry/graph/node.h"

namespace belfry::internal {

/// A pass that options of this type turn on.
template <typename Options>
struct Pass {
  const char* name;
  bool (*enabled)(const Options&);
  Function (*run)(const Function&);
};

/// A line for each node: "  conv0/conv2d = belfry::conv2d(...)".
inline std::string list_nodes(const Function& function) {
  std::string text;
  for (const Node* node : function.calls()) text += fmt::format("  {} = {}\n", node->name(), describe(*node));
  return text;
}

/// Runs the passes that are on, in their order. Appends to `report` the nodes before them, and how many each
/// left.
template <typename Options>
Function run_passes(std::span<const Pass<Options>> passes, Function function, const Options& options,
                    std::string& report) {
  report += fmt::format("before ({} nodes):\n{}", function.calls().size(), list_nodes(function));
  for (const Pass<Options>& pass : passes) {
    if (!pass.enabled(options)) {
      report += fmt::format("{}: off\n", pass.name);
      continue;
    }
    function = pass.run(function);
    report += fmt::format("{}: {} nodes\n", pass.name, function.calls().size());
  }
  return function;
}

}  // namespace belfry::internal
