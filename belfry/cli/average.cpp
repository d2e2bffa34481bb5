#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/output.h"
#include "belfry/cli/selection.h"
#include "belfry/cli/written.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter =
    R"(Floating point and complex tensors are averaged in float64 and rounded once, to their dtype; integers and
booleans are those of the last checkpoint. All must have the same tensors, of the same shapes and dtypes.

Examples:
  belfry average train_log/model-{8000,9000,10000} -o averaged.npz
  belfry average best-*.safetensors --drop-slots -o train_log/averaged)";

struct Options {
  std::vector<std::string> inputs;
  std::string output;
  Selection selection;
  bool json = false;
};

using Readers = std::vector<std::unique_ptr<CheckpointReader>>;

/// Throws DataError unless `other` has the tensors of `first`, and no more.
void check_same(const CheckpointReader& first, const CheckpointReader& other, const Selection& selection) {
  for (const CheckpointEntry& entry : selection.of(first)) {
    const CheckpointEntry* found = other.find(entry.name);
    if (!found) {
      throw DataError(other.path(), fmt::format("has no '{}', which {} has", entry.name, first.path()));
    }
    if (found->shape != entry.shape || found->stored_dtype != entry.stored_dtype) {
      throw DataError(other.path(), fmt::format("'{}' is {} {}, in {} it is {} {}", entry.name,
                                                found->stored_dtype, compact(found->shape), first.path(),
                                                entry.stored_dtype, compact(entry.shape)));
    }
  }
  for (const CheckpointEntry& entry : selection.any_of(other)) {
    if (!first.has(entry.name)) {
      throw DataError(first.path(), fmt::format("has no '{}', which {} has", entry.name, other.path()));
    }
  }
}

at::Tensor average(const Readers& readers, const CheckpointEntry& entry) {
  if (!isFloatingType(entry.dtype) && !isComplexType(entry.dtype)) return readers.back()->tensor(entry.name);
  const DType wide = isComplexType(entry.dtype) ? kComplex128 : kFloat64;
  at::Tensor sum = readers.front()->tensor(entry.name).to(wide);
  for (size_t i = 1; i < readers.size(); ++i) sum += readers[i]->tensor(entry.name).to(wide);
  return (sum /= static_cast<double>(readers.size())).to(entry.dtype);
}

int run(const Options& options) {
  check_output(options.output);
  if (options.inputs.size() < 2) {
    throw UsageError(fmt::format("expected two or more checkpoints, got only {}", options.inputs.front()));
  }
  Readers readers;
  for (const std::string& path : options.inputs) {
    readers.push_back(CheckpointReader::open(path));
    check_same(*readers.front(), *readers.back(), options.selection);
  }
  Written written;
  for (const CheckpointEntry& entry : options.selection.of(*readers.front())) {
    if (entry.dtype == DType::Undefined) {
      written.left_out.push_back(entry.name);
    } else {
      written.tensors.emplace(entry.name, average(readers, entry));
    }
  }
  written.save(options.output, options.json);
  return kFine;
}

}  // namespace

Command add_average(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("average", "Average the values of several checkpoints");
  app->add_option("CKPT", options->inputs, "The checkpoints, two or more")->required();
  app->add_option("-o,--output", options->output, kOutputHelp)->type_name("OUT")->required();
  options->selection.add_options(*app);
  app->add_flag("--json", options->json, "Print JSON");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
