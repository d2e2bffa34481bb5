#include "belfry/step/internal/step_pipeline.h"

#include <fmt/format.h>

#include "belfry/graph/node.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/step/internal/step_passes.h"

// The list of passes: those that look for gradients in the form that differentiate() gives them come first,
// then the inference compiler's, which see backward nodes as any others. Its passes that fold what stays the
// same from call to call have no place here, as weights do not.

namespace belfry::internal {
namespace {

struct Pass {
  const char* name;
  bool (*enabled)(const StepOptions&);
  Function (*run)(const Function&);
};

constexpr Pass kPasses[] = {
    {"sink_relu_gradients", [](const StepOptions& o) { return o.sink_relu_gradients; }, sink_relu_gradients},
    {"fuse_batch_norm_relu", [](const StepOptions& o) { return o.fuse_batch_norm_relu; },
     fuse_batch_norm_relu},
    {"canonicalize", [](const StepOptions& o) { return o.canonicalize; }, canonicalize},
    {"cancel_transposes", [](const StepOptions& o) { return o.cancel_transposes; }, cancel_transposes},
    {"fold_padding", [](const StepOptions& o) { return o.fold_padding; }, fold_padding},
    {"fuse_residuals", [](const StepOptions& o) { return o.fuse_residuals; }, fuse_residuals},
    {"fuse_activations", [](const StepOptions& o) { return o.fuse_activations; }, fuse_activations},
    {"cast_to_bfloat16", [](const StepOptions& o) { return o.compute == kBFloat16; }, cast_step_to_bfloat16},
};

std::string list_nodes(const Function& function) {
  std::string text;
  for (const Node* node : function.calls()) text += fmt::format("  {} = {}\n", node->name(), describe(*node));
  return text;
}

}  // namespace

Function run_step_pipeline(Function function, const StepOptions& options, std::string& report) {
  report += fmt::format("before ({} nodes):\n{}", function.calls().size(), list_nodes(function));
  for (const Pass& pass : kPasses) {
    if (!pass.enabled(options)) {
      report += fmt::format("{}: off\n", pass.name);
      continue;
    }
    function = pass.run(function);
    report += fmt::format("{}: {} nodes\n", pass.name, function.calls().size());
  }
  report += fmt::format("after:\n{}", list_nodes(function));
  return function;
}

}  // namespace belfry::internal
