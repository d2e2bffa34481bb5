#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/output.h"
#include "belfry/cli/selection.h"
#include "belfry/cli/statistics.h"
#include "belfry/formats/array_info.h"

namespace belfry::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFooter =
    R"(One line for each tensor: name, dtype, shape, size. The last line has the totals.
--stats adds the range, mean and standard deviation of the finite elements, and how many are not finite.

Examples:
  belfry ls train_log
  belfry ls weights.npz --stats --only 'conv*/W'
  belfry ls train_log/model-1000 --json | jq '.total.bytes')";

struct Options {
  std::string path;
  Selection selection;
  bool stats = false, json = false;
};

/// A line of the list.
struct Row {
  CheckpointEntry entry;
  uint64_t elements = 0;
  std::optional<uint64_t> bytes;  // none for strings
  std::optional<Statistics> stats;
};

struct Listing {
  std::string path;
  std::vector<Row> rows;
  uint64_t elements = 0, bytes = 0;
};

Listing list(const Options& options) {
  auto reader = CheckpointReader::open(options.path);
  Listing listing{.path = reader->path()};
  for (CheckpointEntry& entry : options.selection.of(*reader)) {
    Row row{.elements = element_count(entry.shape).value_or(0)};
    if (entry.dtype != DType::Undefined) {
      row.bytes = row.elements * c10::elementSize(entry.dtype);
      if (options.stats) row.stats = statistics_of(reader->tensor(entry.name));
    }
    row.entry = std::move(entry);
    listing.elements += row.elements;
    listing.bytes += row.bytes.value_or(0);
    listing.rows.push_back(std::move(row));
  }
  return listing;
}

void add_words(std::vector<std::string>& words, const std::optional<Statistics>& stats) {
  if (stats && stats->moments) {
    const auto& [min, max, mean, std] = *stats->moments;
    for (double value : {min, max, mean, std}) words.push_back(fmt::format("{:.6g}", value));
  } else {
    words.insert(words.end(), 4, "-");
  }
  for (int64_t Statistics::*count : {&Statistics::nan, &Statistics::inf}) {
    words.push_back(stats ? std::to_string((*stats).*count) : "-");
  }
}

void print_table(const Listing& listing, bool with_stats) {
  std::vector<Table::Align> columns = {Table::kLeft, Table::kLeft, Table::kLeft, Table::kRight};
  std::vector<std::string> head = {"NAME", "DTYPE", "SHAPE", "SIZE"};
  if (with_stats) {
    columns.resize(10, Table::kRight);
    head.insert(head.end(), {"MIN", "MAX", "MEAN", "STD", "NAN", "INF"});
  }
  Table table(columns);
  table.add(head);
  for (const Row& row : listing.rows) {
    std::vector<std::string> words = {row.entry.name, row.entry.stored_dtype, compact(row.entry.shape),
                                      row.bytes ? human_size(*row.bytes) : "-"};
    if (with_stats) add_words(words, row.stats);
    table.add(std::move(words));
  }
  table.print();
  print_line("total: {} tensors, {} elements, {}", listing.rows.size(), listing.elements,
             human_size(listing.bytes));
}

ordered_json to_json(const Statistics& stats) {
  ordered_json json = {{"min", nullptr}, {"max", nullptr}, {"mean", nullptr}, {"std", nullptr}};
  if (stats.moments) {
    const auto& [min, max, mean, std] = *stats.moments;
    json = {{"min", min}, {"max", max}, {"mean", mean}, {"std", std}};
  }
  json["nan"] = stats.nan;
  json["inf"] = stats.inf;
  return json;
}

ordered_json to_json(const Listing& listing) {
  ordered_json tensors = ordered_json::array();
  for (const Row& row : listing.rows) {
    ordered_json tensor = {{"name", row.entry.name},
                           {"dtype", row.entry.stored_dtype},
                           {"shape", row.entry.shape},
                           {"bytes", nullptr}};
    if (row.bytes) tensor["bytes"] = *row.bytes;
    if (row.stats) tensor["stats"] = to_json(*row.stats);
    tensors.push_back(std::move(tensor));
  }
  return {{"path", listing.path},
          {"tensors", std::move(tensors)},
          {"total",
           {{"tensors", listing.rows.size()}, {"elements", listing.elements}, {"bytes", listing.bytes}}}};
}

int run(const Options& options) {
  const Listing listing = list(options);
  if (options.json) {
    print_json(to_json(listing));
  } else {
    print_table(listing, options.stats);
  }
  return kFine;
}

}  // namespace

Command add_ls(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("ls", "List the tensors of a checkpoint");
  app->add_option("CKPT", options->path, "The checkpoint")->required();
  options->selection.add_options(*app);
  app->add_flag("--stats", options->stats, "Read the values too, and say what they are like");
  app->add_flag("--json", options->json, "Print JSON");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
