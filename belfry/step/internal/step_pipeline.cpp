#include "belfry/step/internal/step_pipeline.h"

#include <utility>

#include "belfry/inference/internal/pass_list.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/step/internal/step_passes.h"

// The list of passes: those that look for gradients in the form that differentiate() gives them come first,
// then the inference compiler's, which see backward nodes as any others. Its passes that fold what stays the
// same from call to call have no place here, as weights do not.

namespace belfry::internal {
namespace {

constexpr Pass<StepOptions> kPasses[] = {
    {"join_weight_gradients", [](const StepOptions& o) { return o.join_weight_gradients; },
     join_weight_gradients},
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

}  // namespace

Function run_step_pipeline(Function function, const StepOptions& options, std::string& report) {
  function = run_passes<StepOptions>(kPasses, std::move(function), options, report);
  report += "after:\n" + list_nodes(function);
  return function;
}

}  // namespace belfry::internal
