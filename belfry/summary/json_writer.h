#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "belfry/loop/monitor.h"

namespace belfry {

/// Keeps every scalar in `stats.json`: a list of objects {tag: value, …, "epoch_num", "global_step"}, one for
/// each global step that had something to say. tensorpack reads and writes the same file. A value that is not
/// finite is stored as null; NaN and Infinity, as Python writes them, are read too.
///
/// The file is replaced in one step at the end of each epoch. A run that resumes continues the history up to
/// the step it resumes from; later entries (of a run killed between its last entry and its last checkpoint)
/// are dropped. A run that starts from its first step, or finds nothing to continue, renames a history that
/// is there to `stats.json.<month><day>-<time>`; likewise one that cannot be read.
class JSONWriter : public Monitor {
 public:
  static constexpr char kFileName[] = "stats.json";

  struct Entry {
    int64_t epoch_num = 0;
    int64_t global_step = 0;
    std::map<std::string, double> scalars;
  };
  /// The history in `folder`, oldest first; empty when there is none. Throws DataError for a damaged file.
  static std::vector<Entry> load_existing(const std::string& folder);
  /// The epoch of the newest entry in `folder`; none without a readable history.
  static std::optional<int64_t> load_existing_epoch_number(const std::string& folder);

  /// `folder`: where to write; "": the trainer's log_dir. Without either it warns and writes nothing.
  explicit JSONWriter(std::string folder = "");

  std::string name() const override { return "JSONWriter"; }
  void setup_graph() override;
  void before_train() override;
  void trigger() override;
  void after_train() override;
  void put_scalar(const std::string& tag, double value, int64_t step) override;

 private:
  void resume_history();
  void write();

  std::string folder_;
  std::vector<Entry> entries_;
  bool dirty_ = false;
};

}  // namespace belfry
