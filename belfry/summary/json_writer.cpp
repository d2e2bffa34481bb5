#include "belfry/summary/json_writer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

// The statistics of each epoch as tensorpack's stats.json: the whole list is written anew each time and
// replaces the old file at once. A history is continued only where it is that of this training: entries
// later than the step that training goes on from are dropped, and what does not fit at all is renamed, never
// overwritten.
namespace belfry {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kEpochNum[] = "epoch_num", kGlobalStep[] = "global_step";
// Of a hundred thousand epochs of fifty scalars: the whole file is written anew after each.
constexpr uint64_t kMaxSize = uint64_t{1} << 28;

std::string path_in(const std::string& folder) {
  return (std::filesystem::path(folder) / JSONWriter::kFileName).string();
}

/// Python's json writes NaN, Infinity and -Infinity, which JSON does not have. All become null.
std::string without_non_finite(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords = {"NaN", "Infinity", "-Infinity"};
  std::string result;
  bool in_string = false;
  while (!text.empty()) {
    auto word = std::find_if(kWords.begin(), kWords.end(),
                             [&](std::string_view w) { return !in_string && text.starts_with(w); });
    if (word != kWords.end()) {
      result += "null";
      text.remove_prefix(word->size());
      continue;
    }
    if (text[0] == '"') in_string = !in_string;
    const size_t length = in_string && text[0] == '\\' ? std::min<size_t>(2, text.size()) : 1;
    result += text.substr(0, length);
    text.remove_prefix(length);
  }
  return result;
}

/// Takes the entries from the text as it is read: as values of the JSON library they would take many times
/// its memory, and their keys quadratic time.
class EntryReader : public nlohmann::json_sax<Json> {
 public:
  std::vector<JSONWriter::Entry> take() { return std::move(entries_); }

  bool null() override { return number(NAN); }
  bool number_integer(number_integer_t value) override { return integer(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return std::in_range<int64_t>(value) ? integer(static_cast<int64_t>(value))
                                         : number(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool boolean(bool) override { return other(); }
  bool string(string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }

  bool key(string_t& name) override {
    key_ = name;
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ == kOutside) fail("a dictionary around them");
    if (++depth_ == kInEntry) entries_.emplace_back();
    return true;
  }
  bool end_object() override {
    if (--depth_ != kInList) return true;
    if (found_ != (kFoundEpoch | kFoundStep)) fail("an entry without its epoch or step");
    found_ = 0;
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ == kInList) fail("a list in the list");
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& e) override {
    fail(e.what());
  }

 private:
  enum Depth { kOutside, kInList, kInEntry };
  enum Found { kFoundEpoch = 1, kFoundStep = 2 };

  [[noreturn]] static void fail(const std::string& what) {
    throw DataError(fmt::format("expected a list of statistics, got {}", what));
  }

  bool integer(int64_t value) {
    if (depth_ == kInEntry && key_ == kEpochNum) {
      entries_.back().epoch_num = value;
      found_ |= kFoundEpoch;
    } else if (depth_ == kInEntry && key_ == kGlobalStep) {
      entries_.back().global_step = value;
      found_ |= kFoundStep;
    } else {
      return number(static_cast<double>(value));
    }
    return true;
  }
  bool number(double value) {
    if (depth_ == kInEntry) entries_.back().scalars[key_] = value;
    return other();
  }
  bool other() const {
    if (depth_ < kInEntry) fail("a value that is no dictionary");
    return true;
  }

  std::vector<JSONWriter::Entry> entries_;
  std::string key_;
  int depth_ = kOutside;
  int found_ = 0;
};

Json to_json(const JSONWriter::Entry& entry) {
  Json json = Json::object();
  for (const auto& [tag, value] : entry.scalars) json[tag] = value;  // the library writes NaN as null
  json[kEpochNum] = entry.epoch_num;
  json[kGlobalStep] = entry.global_step;
  return json;
}

}  // namespace

std::vector<JSONWriter::Entry> JSONWriter::load_existing(const std::string& folder) {
  FileSystem& files = FileSystem::posix();
  const std::string path = path_in(folder);
  if (!files.exists(path)) return {};
  EntryReader reader;
  try {
    Json::sax_parse(without_non_finite(read_file(files, path, kMaxSize)), &reader);
  } catch (const DataError& e) {
    throw DataError(path, e.what());
  }
  return reader.take();
}

std::optional<int64_t> JSONWriter::load_existing_epoch_number(const std::string& folder) {
  try {
    const std::vector<Entry> entries = load_existing(folder);
    if (!entries.empty()) return entries.back().epoch_num;
  } catch (const DataError& e) {
    log_warning("{}", e.what());
  }
  return std::nullopt;
}

JSONWriter::JSONWriter(std::string folder) : folder_(std::move(folder)) {}

void JSONWriter::setup_graph() {
  if (folder_.empty()) folder_ = trainer().log_dir();
  if (folder_.empty()) log_warning("The trainer has no log_dir. JSONWriter writes nothing.");
}

void JSONWriter::before_train() {
  if (folder_.empty()) return;
  // Callbacks may have put values already.
  std::vector<Entry> from_this_run = std::move(entries_);
  entries_.clear();
  resume_history();
  entries_.insert(entries_.end(), from_this_run.begin(), from_this_run.end());
}

void JSONWriter::resume_history() {
  const std::string path = path_in(folder_);
  std::vector<Entry> existing;
  try {
    existing = load_existing(folder_);
    if (existing.empty()) return;
    const LoopOptions& loop = trainer().loop();
    if (loop.starting_epoch > 1 || loop.starting_step > 0) {
      std::copy_if(existing.begin(), existing.end(), std::back_inserter(entries_),
                   [&](const Entry& entry) { return entry.global_step <= trainer().global_step(); });
    }
    if (!entries_.empty()) {
      log_info("Found an existing {}, will append to it.", path);
      if (entries_.size() < existing.size()) {
        log_warning("{} goes on beyond global_step={}: its last {} entries are dropped.", path,
                    trainer().global_step(), existing.size() - entries_.size());
      }
      return;
    }
  } catch (const DataError& e) {
    log_warning("{}", e.what());
  }
  const std::string backup = fmt::format("{}.{:%m%d-%H%M%S}", path, fmt::localtime(std::time(nullptr)));
  log_warning("{} is not the history of this training; it is renamed to {}.", path, backup);
  try {
    FileSystem::posix().rename(path, backup);
  } catch (const DataError& e) {
    log_error("[JSONWriter] {}", e.what());
  }
}

void JSONWriter::trigger() {
  write();
}

void JSONWriter::after_train() {
  write();
}

void JSONWriter::put_scalar(const std::string& tag, double value, int64_t step) {
  if (folder_.empty()) return;
  if (entries_.empty() || entries_.back().global_step != step ||
      entries_.back().epoch_num != trainer().epoch_num()) {
    entries_.push_back({.epoch_num = trainer().epoch_num(), .global_step = step, .scalars = {}});
  }
  entries_.back().scalars[tag] = value;
  dirty_ = true;
}

void JSONWriter::write() {
  if (!dirty_ || folder_.empty()) return;
  Json list = Json::array();
  for (const Entry& entry : entries_) list.push_back(to_json(entry));
  try {
    FileSystem& files = FileSystem::posix();
    files.make_dirs(folder_);
    write_file_atomically(files, path_in(folder_), as_byte_span(list.dump()));
    dirty_ = false;
  } catch (const DataError& e) {
    log_error("[JSONWriter] {}", e.what());
  }
}

}  // namespace belfry
