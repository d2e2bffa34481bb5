#pragma once

#include <functional>

#include "belfry/base/error.h"

namespace CLI {
class App;
}

namespace belfry::cli {

/// What the program's exit code says; `belfry --help` explains them to the user.
enum ExitCode { kFine = 0, kDiffers = 1, kUsage = 2, kFailed = 3 };

/// What was looked for is not there, though all files are well. Ends the program with kDiffers.
class NotFound : public Error {
 public:
  using Error::Error;
};

/// A subcommand: its part of the command line, and what to do when that was given. `run` prints results to
/// stdout, returns an ExitCode, and throws what shall become one line on stderr.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

// Each adds one subcommand to the program, in the file of that name.
Command add_average(CLI::App& program);
Command add_bench(CLI::App& program);
Command add_completion(CLI::App& program);
Command add_convert(CLI::App& program);
Command add_describe(CLI::App& program);
Command add_diff(CLI::App& program);
Command add_env(CLI::App& program);
Command add_export(CLI::App& program);
Command add_ls(CLI::App& program);
Command add_predict(CLI::App& program);

}  // namespace belfry::cli
