#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/difference.h"
#include "belfry/cli/number_checks.h"
#include "belfry/cli/output.h"
#include "belfry/cli/selection.h"

// `belfry diff`: two checkpoints, of whatever formats, compared tensor by tensor into a Report, which is
// then printed as lines or as JSON. Two values at a time are in memory.
namespace belfry::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFooter =
    R"(Prints one line for each tensor that is not the same in both, and a line of totals. Exits with 0 when
there is no such tensor, with 1 otherwise. NaN equals NaN. Numbers are the same when
|a - b| <= ATOL + RTOL * max(|a|, |b|). Strings are compared by shape only.

Examples:
  belfry diff train_log/model-1000 train_log/model-2000
  belfry diff model.safetensors train_log --drop-slots --rtol 1e-5
  belfry diff a.npz b.npz --json | jq '.value_differs[].name')";

struct Options {
  std::string a, b;
  Selection selection;
  Tolerances tolerances;
  bool json = false;
};

/// A tensor that both have, one of A and one of B.
struct Pair {
  CheckpointEntry a, b;
};

struct ValuePair {
  CheckpointEntry entry;
  uint64_t elements = 0;
  Difference difference;
};

struct Report {
  std::string a, b;
  std::vector<CheckpointEntry> only_in_a, only_in_b;
  std::vector<Pair> type_differs;
  std::vector<ValuePair> value_differs;
  std::vector<CheckpointEntry> not_compared;
  size_t same = 0;

  bool differs() const {
    return !(only_in_a.empty() && only_in_b.empty() && type_differs.empty() && value_differs.empty());
  }
};

void compare(const CheckpointReader& a, const CheckpointReader& b, const Pair& pair, Tolerances tolerances,
             Report& report) {
  if (pair.a.shape != pair.b.shape || pair.a.stored_dtype != pair.b.stored_dtype) {
    report.type_differs.push_back(pair);
  } else if (pair.a.dtype == DType::Undefined) {
    report.not_compared.push_back(pair.a);
  } else {
    const at::Tensor value = a.tensor(pair.a.name);
    const Difference difference = difference_of(value, b.tensor(pair.a.name), tolerances);
    if (difference.differing == 0) {
      ++report.same;
    } else {
      report.value_differs.push_back({pair.a, static_cast<uint64_t>(value.numel()), difference});
    }
  }
}

Report compare(const Options& options) {
  auto a = CheckpointReader::open(options.a), b = CheckpointReader::open(options.b);
  const auto in_a = options.selection.any_of(*a), in_b = options.selection.any_of(*b);
  if (in_a.empty() && in_b.empty() && options.selection.has_patterns()) {
    options.selection.fail(a->path() + " and " + b->path());
  }
  Report report{.a = a->path(), .b = b->path()};
  for (const CheckpointEntry& entry : in_a) {
    if (const CheckpointEntry* other = b->find(entry.name)) {
      compare(*a, *b, {entry, *other}, options.tolerances, report);
    } else {
      report.only_in_a.push_back(entry);
    }
  }
  for (const CheckpointEntry& entry : in_b) {
    if (!a->has(entry.name)) report.only_in_b.push_back(entry);
  }
  return report;
}

std::string type_of(const CheckpointEntry& entry) {
  return entry.stored_dtype + " " + compact(entry.shape);
}

void print_lines(const Report& report) {
  for (const auto& entry : report.only_in_a) print_line("only-in-a {} {}", entry.name, type_of(entry));
  for (const auto& entry : report.only_in_b) print_line("only-in-b {} {}", entry.name, type_of(entry));
  for (const auto& [a, b] : report.type_differs) {
    print_line("type-differs {} {} and {}", a.name, type_of(a), type_of(b));
  }
  for (const auto& [entry, elements, difference] : report.value_differs) {
    print_line("value-differs {} {} {} of {} elements, max abs {:.3g}, max rel {:.3g}", entry.name,
               type_of(entry), difference.differing, elements, difference.max_absolute,
               difference.max_relative);
  }
  for (const auto& entry : report.not_compared) print_line("not-compared {} {}", entry.name, type_of(entry));
  const std::string not_compared =
      report.not_compared.empty() ? "" : fmt::format(", {} not compared", report.not_compared.size());
  print_line("total: {} same, {} only in a, {} only in b, {} of another type, {} of other values{}",
             report.same, report.only_in_a.size(), report.only_in_b.size(), report.type_differs.size(),
             report.value_differs.size(), not_compared);
}

ordered_json type_to_json(const CheckpointEntry& entry) {
  return {{"dtype", entry.stored_dtype}, {"shape", entry.shape}};
}

ordered_json names(const std::vector<CheckpointEntry>& entries) {
  ordered_json json = ordered_json::array();
  for (const CheckpointEntry& entry : entries) json.push_back(entry.name);
  return json;
}

ordered_json to_json(const Report& report) {
  ordered_json types = ordered_json::array(), values = ordered_json::array();
  for (const auto& [a, b] : report.type_differs) {
    types.push_back({{"name", a.name}, {"a", type_to_json(a)}, {"b", type_to_json(b)}});
  }
  for (const auto& [entry, elements, difference] : report.value_differs) {
    values.push_back({{"name", entry.name},
                      {"elements", elements},
                      {"differing", difference.differing},
                      {"max_abs", difference.max_absolute},
                      {"max_rel", difference.max_relative}});
  }
  return {{"a", report.a},
          {"b", report.b},
          {"differs", report.differs()},
          {"same", report.same},
          {"only_in_a", names(report.only_in_a)},
          {"only_in_b", names(report.only_in_b)},
          {"type_differs", std::move(types)},
          {"value_differs", std::move(values)},
          {"not_compared", names(report.not_compared)}};
}

int run(const Options& options) {
  const Report report = compare(options);
  if (options.json) {
    print_json(to_json(report));
  } else {
    print_lines(report);
  }
  return report.differs() ? kDiffers : kFine;
}

}  // namespace

Command add_diff(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("diff", "Compare two checkpoints");
  app->add_option("A", options->a, "A checkpoint")->required();
  app->add_option("B", options->b, "Another")->required();
  app->add_option("--rtol", options->tolerances.relative, "Relative tolerance, 0 unless given")
      ->type_name("RTOL")
      ->check(number_from_zero());
  app->add_option("--atol", options->tolerances.absolute, "Absolute tolerance, 0 unless given")
      ->type_name("ATOL")
      ->check(number_from_zero());
  options->selection.add_options(*app);
  app->add_flag("--json", options->json, "Print JSON; numbers that are not finite are null");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
