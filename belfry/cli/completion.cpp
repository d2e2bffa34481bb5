#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "belfry/cli/commands.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter = R"(Examples:
  source <(belfry completion bash)
  belfry completion bash > ~/.local/share/bash-completion/completions/belfry)";

// {0}: the subcommands; {1}: a case for each with its options.
constexpr const char* kBash = R"(# Completion of belfry for bash, written by: belfry completion bash
_belfry() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words='--help --version {0}'
  if ((COMP_CWORD > 1)); then
    case ${{COMP_WORDS[1]}} in
{1}
    esac
  fi
  if ((COMP_CWORD == 1)) || [[ $word == -* || ${{COMP_WORDS[1]}} == completion ]]; then
    compopt +o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    return
  fi
  # Folders, files of arrays, and TensorFlow's checkpoints by their prefix.
  mapfile -t COMPREPLY < <(compgen -d -- "$word"
    compgen -f -- "$word" | sed -n -e '/\.np[yz]$/p' -e '/\.safetensors$/p' -e '/\.caffemodel$/p' -e 's/\.index$//p')
}}
complete -o filenames -F _belfry belfry
)";

/// "--json --stats"
std::string option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return fmt::format("{}", fmt::join(names, " "));
}

std::string bash_script(const CLI::App& program) {
  std::vector<std::string> commands, cases;
  for (const CLI::App* app : program.get_subcommands({})) {
    commands.push_back(app->get_name());
    cases.push_back(fmt::format("      {}) words='{}{}' ;;", app->get_name(), option_names(*app),
                                app->get_name() == "completion" ? " bash" : ""));
  }
  return fmt::format(kBash, fmt::join(commands, " "), fmt::join(cases, "\n"));
}

}  // namespace

Command add_completion(CLI::App& program) {
  CLI::App* app = program.add_subcommand("completion", "Print a script that completes command lines");
  auto shell = std::make_shared<std::string>();
  app->add_option("SHELL", *shell, "bash")->required()->check(CLI::IsMember({"bash"}));
  app->footer(kFooter);
  return {app, [&program, shell] {
            fmt::print("{}", bash_script(program));
            return kFine;
          }};
}

}  // namespace belfry::cli
