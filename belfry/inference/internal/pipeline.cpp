#include "belfry/inference/internal/pipeline.h"

#include <fmt/format.h>

#include "belfry/inference/internal/known_sizes.h"
#include "belfry/inference/internal/pass_list.h"
#include "belfry/inference/internal/passes.h"

// The list of passes, in their order: first all operators take the forms that the others look for, then
// operators merge with what follows them, last the dtype is chosen, because each pass before would have to
// know the conversions between. What is computed of weights alone leaves the function at the end, when passes
// have made all that they make of weights.

namespace belfry::internal {
namespace {

using Options = CompileOptions;

constexpr Pass<Options> kPasses[] = {
    {"canonicalize", [](const Options& o) { return o.canonicalize; }, canonicalize},
    {"cancel_transposes", [](const Options& o) { return o.cancel_transposes; }, cancel_transposes},
    {"fold_padding", [](const Options& o) { return o.fold_padding; }, fold_padding},
    {"fold_batch_norm", [](const Options& o) { return o.fold_batch_norm; }, fold_batch_norm},
    {"fuse_residuals", [](const Options& o) { return o.fuse_residuals; }, fuse_residuals},
    {"fuse_activations", [](const Options& o) { return o.fuse_activations; }, fuse_activations},
    {"cast_to_bfloat16", [](const Options& o) { return o.compute == kBFloat16; }, cast_to_bfloat16},
};

}  // namespace

CompiledFunction run_pipeline(Function function, const CompileOptions& options) {
  CompiledFunction result;
  std::string& report = result.report;
  function = run_passes<Options>(kPasses, std::move(function), options, report);
  if (options.fold_constants) {
    SplitFunction parts = split_off_constants(function, may_be_sizes);
    report += fmt::format("fold_constants: {} nodes, {} computed once\n", parts.rest.calls().size(),
                          parts.preparation.calls().size());
    result.preparation = std::move(parts.preparation);
    function = std::move(parts.rest);
  } else {
    report += "fold_constants: off\n";
  }
  if (options.split_batch) result.split = find_batch_split(function);
  report += fmt::format("split_batch: {}\nafter:\n{}",
                        result.split
                            ? fmt::format("samples are independent, {} bytes each", result.split->working_set)
                            : "off, or samples may depend on each other",
                        list_nodes(function));
  result.rest = std::move(function);
  return result;
}

}  // namespace belfry::internal
