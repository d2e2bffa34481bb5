#include <CLI/CLI.hpp>
#include <memory>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/selection.h"
#include "belfry/cli/written.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter =
    R"(Values, shapes and dtypes stay as they are, except that .npz has no bfloat16 and gets float32. Strings
(TensorFlow 2 stores a description of its objects so) are left out, with a warning.

Examples:
  belfry convert train_log model.npz
  belfry convert train_log/model-1000 model.safetensors --drop-slots
  belfry convert VGG_ILSVRC_16_layers.caffemodel vgg16.npz
  belfry convert weights.npz weights/model        for tf.train.load_checkpoint("weights/model"))";

struct Options {
  std::string input, output;
  Selection selection;
  bool json = false;
};

int run(const Options& options) {
  check_output(options.output);
  auto reader = CheckpointReader::open(options.input);
  Written written;
  for (const CheckpointEntry& entry : options.selection.of(*reader)) {
    if (entry.dtype == DType::Undefined) {
      written.left_out.push_back(entry.name);
    } else {
      written.tensors.emplace(entry.name, reader->tensor(entry.name));
    }
  }
  written.save(options.output, options.json);
  return kFine;
}

}  // namespace

Command add_convert(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("convert", "Write a checkpoint in another format");
  app->add_option("CKPT", options->input, "The checkpoint")->required();
  app->add_option("OUT", options->output, kOutputHelp)->required();
  options->selection.add_options(*app);
  app->add_flag("--json", options->json, "Print JSON");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
