#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "belfry/cli/commands.h"
#include "belfry/cli/output.h"
#include "belfry/runtime/env_info.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter = R"(Names no user, host or path, so that it can go into a report as it is.

Examples:
  belfry env
  belfry env --json | jq -r .processor)";

int run(bool as_json) {
  std::vector<std::pair<std::string, std::string>> info = collect_env_info();
  info.insert(info.begin(), {"belfry", BELFRY_VERSION});
  if (as_json) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const auto& [name, value] : info) json[name] = value;
    print_json(json);
    return kFine;
  }
  Table table({Table::kLeft, Table::kLeft});
  for (const auto& [name, value] : info) table.add({name, value});
  table.print();
  return kFine;
}

}  // namespace

Command add_env(CLI::App& program) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* app = program.add_subcommand("env", "Print versions and hardware, for reports");
  app->add_flag("--json", *as_json, "Print JSON");
  app->footer(kFooter);
  return {app, [as_json] { return run(*as_json); }};
}

}  // namespace belfry::cli
