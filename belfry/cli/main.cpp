// The program `belfry`. Its subcommands are listed in commands.h.

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/printable.h"
#include "belfry/cli/commands.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter =
    R"(A checkpoint is a TensorFlow prefix (train_log/model-1000, whether Belfry or TensorFlow wrote it), a
.npz, .npy, .safetensors or .caffemodel file, or a folder or its file `checkpoint`, which stand for the newest in it.

Exit codes:
  0  all is well
  1  the checkpoints differ, or nothing has the name that was asked for
  2  the command line is wrong, or asks for what cannot be done
  3  a file is missing or damaged, cannot be written, or something else failed

Examples:
  belfry ls train_log                                 what is in the newest checkpoint
  belfry diff train_log/model-1000 train_log/model-2000
  belfry convert train_log model.safetensors --drop-slots
  source <(belfry completion bash))";

/// "belfry ls" once the command line got that far.
std::string name_of(const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  return chosen.empty() ? program.get_name() : program.get_name() + " " + chosen.front()->get_name();
}

/// One line on stderr, whatever the message holds.
void complain(const std::string& who, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "{}: {}\n", who, printable(message));
}

/// Does `work`, which prints to stdout and gives the exit code.
int run(const std::function<int()>& work, const std::string& who) {
  try {
    const int code = work();
    std::cout.flush();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout)
      throw DataError("cannot write to the standard output");
    return code;
  } catch (const NotFound& error) {
    complain(who, error.what());
    return kDiffers;
  } catch (const UsageError& error) {
    complain(who, error.what());
    return kUsage;
  } catch (const c10::Error& error) {
    complain(who, error.what_without_backtrace());
  } catch (const std::exception& error) {
    complain(who, error.what());
  }
  return kFailed;
}

int main(int argc, char** argv) {
  CLI::App program(
      "Looks into checkpoints, compares, converts and averages them; runs models that were saved as files.",
      "belfry");
  program.set_version_flag("--version", "belfry " BELFRY_VERSION);
  program.footer(kFooter);
  const std::vector<Command> commands = {add_ls(program),      add_diff(program),    add_convert(program),
                                         add_average(program), add_predict(program), add_describe(program),
                                         add_bench(program),   add_export(program),  add_completion(program),
                                         add_env(program)};
  try {
    program.parse(argc, argv);
    if (program.get_subcommands().empty()) throw CLI::RequiredError("A command");
  } catch (const CLI::Success& help_or_version) {
    return run([&] { return program.exit(help_or_version); }, name_of(program));
  } catch (const CLI::ParseError& error) {
    const std::string who = name_of(program);
    complain(who, fmt::format("{} (see {} --help)", error.what(), who));
    return kUsage;
  }
  const std::string who = name_of(program);
  set_log_sink([who](LogLevel level, std::string_view message) {
    if (level >= LogLevel::kWarning) complain(who, "warning: " + std::string(message));
  });
  const auto chosen = std::find_if(commands.begin(), commands.end(),
                                   [](const Command& command) { return command.app->parsed(); });
  return run(chosen->run, who);
}

}  // namespace
}  // namespace belfry::cli

int main(int argc, char** argv) {
  return belfry::cli::main(argc, argv);
}
