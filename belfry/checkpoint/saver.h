#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/checkpoint/training_state.h"
#include "belfry/graph/variable.h"
#include "belfry/runtime/session.h"

namespace belfry {

/// A variable to be saved has a NaN or an infinity.
class NotFiniteError : public UsageError {
 public:
  using UsageError::UsageError;
};

struct SaverOptions {
  /// The variables to save and restore; empty: those of `collections`.
  std::vector<Variable> variables = {};
  std::vector<std::string> collections = {kGlobalVariables};
  /// Number of checkpoints to keep; older ones are removed. 0: all.
  int max_to_keep = 5;
  /// When a checkpoint is about to be removed and the last one kept for good is this much older, it is kept
  /// for good too.
  double keep_checkpoint_every_n_hours = 10000;
  /// Refuse to save when a trainable variable, or one of kModelVariables (the averages of BatchNorm), has a
  /// NaN or an infinity, so that a training that went wrong does not push out the good checkpoints.
  bool check_finite = true;
  /// Where files are written: tests put disks there that fail. The folder is locked on the real one only.
  FileSystem* files = &FileSystem::posix();
};

struct SaverSaveOptions {
  /// Appended to the path: "model" becomes "model-1000".
  std::optional<int64_t> global_step = {};
  /// Written beside the checkpoint, before `checkpoint` lists it, and removed with it.
  std::optional<TrainingState> training = {};
};

/// Saves variables as TensorFlow checkpoints, a limited number of them, and restores them.
///
/// A checkpoint appears complete and durable, or not at all, whenever the process is killed; the text file
/// `checkpoint` beside it always names a complete one. (A process killed just between the two leaves one that
/// is not listed; it stays until that step is saved again.) The first save into a folder takes up the list of
/// checkpoints that an earlier run left there, and removes the unfinished files of processes that were
/// killed. From then on the folder is locked until the Saver dies: savers of another process are told so.
///
/// One thread at a time may save.
class Saver {
 public:
  explicit Saver(SaverOptions options = {});
  ~Saver();
  Saver(Saver&&) noexcept;
  Saver& operator=(Saver&&) noexcept;

  /// What the first save would do before it writes, for those who want to know early: makes the folder of
  /// `path_prefix` and locks it. Throws UsageError when there is no variable to save, or one of a dtype that
  /// checkpoints cannot hold; DataError when the folder cannot be made, or another process saves into it.
  void prepare(const Session& session, const std::string& path_prefix);

  using SaveOptions = SaverSaveOptions;
  /// Writes a checkpoint, enters it in `checkpoint`, removes what is too old. Returns its path:
  /// `save(session, "train_log/model", {.global_step = 1000})` gives "train_log/model-1000". Only checkpoints
  /// of the same `path_prefix` are ever removed; failing to remove one is a warning.
  ///
  /// Throws DataError when it cannot be written, or when another process saves into that folder; UsageError
  /// for a variable without value, NotFiniteError for one that is not finite. Then the checkpoints from
  /// before are still there and listed, and the new one is not, unless only the very last step failed, making
  /// the new list durable.
  std::string save(Session& session, const std::string& path_prefix, SaveOptions options = {});

  /// Sets the variables from a checkpoint (any path or format that CheckpointReader::open takes). Every
  /// variable must be there with its shape and dtype: otherwise UsageError, which lists what is wrong, and no
  /// variable has changed.
  void restore(Session& session, const std::string& path) const;

  /// Checkpoints that this saver knows and has not removed, oldest first.
  std::vector<std::string> last_checkpoints() const;

 private:
  class History;
  History& history_of(const std::string& path_prefix);
  std::vector<Variable> variables_of(const Session& session) const;
  void write(Session& session, const std::string& path) const;

  SaverOptions options_;
  std::unique_ptr<History> history_;
};

}  // namespace belfry
