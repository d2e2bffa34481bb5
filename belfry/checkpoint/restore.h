#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "belfry/runtime/session_init.h"

namespace belfry {

// All of these set the global variables of the session's graph whose names they find, log which, and give one
// warning that lists names that are only in the file and one for those only in the graph (is_training_name
// leaves out what inference does not miss). Everything is read and checked first: when something is wrong,
// no variable has changed (ChainInit: by the one that failed). "foo" and "foo:0" are the same name.

struct RestoreOptions {
  /// The graph's variable "prefix/foo" takes the file's "foo".
  std::string prefix = {};
  /// Names, as in the file, that are not loaded: "learning_rate".
  std::vector<std::string> ignore = {};
  /// A variable takes the average that the file has of it, "<name>/ExponentialMovingAverage", where it has
  /// one: to predict with averaged weights.
  bool use_moving_averages = false;
};

/// Restores a checkpoint: any path and format that CheckpointReader::open takes. A shape or dtype that
/// differs is a UsageError with both. With a folder, or its file `checkpoint`, a checkpoint whose data turns
/// out to be damaged is passed over for the next older one, with a warning; a checkpoint named by its path is
/// not.
class SaverRestore : public SessionInit {
 public:
  /// Throws DataError when there is no checkpoint at `path`.
  explicit SaverRestore(std::string path, RestoreOptions options = {});
  void init(Session& session) const override;

  /// The checkpoint that is tried first: "train_log/model-1000".
  const std::string& path() const { return candidates_.front(); }

 protected:
  enum class Mismatch { kError, kConvertOrSkip };
  SaverRestore(std::string path, RestoreOptions options, Mismatch mismatch);

 private:
  std::vector<std::string> candidates_;
  RestoreOptions options_;
  Mismatch mismatch_;
};

/// As SaverRestore, but a value that does not fit is made to, with a warning: reshaped when it has as many
/// elements, cast between floating point types and from integers to wider ones. What still does not fit is
/// left out with a warning.
class SaverRestoreRelaxed : public SaverRestore {
 public:
  explicit SaverRestoreRelaxed(std::string path, RestoreOptions options = {});
};

struct DictRestoreOptions {
  /// Leave out, with a warning, values that do not fit; otherwise they are a UsageError.
  bool ignore_mismatch = false;
};

/// Sets variables from tensors by name; reshapes and casts like SaverRestoreRelaxed.
class DictRestore : public SessionInit {
 public:
  explicit DictRestore(std::map<std::string, at::Tensor> values, DictRestoreOptions options = {});
  void init(Session& session) const override;

 private:
  std::map<std::string, at::Tensor> values_;
  DictRestoreOptions options_;
};

/// Runs several, one after the other: parts of a model from different files. When one throws, those before it
/// have set their variables.
class ChainInit : public SessionInit {
 public:
  explicit ChainInit(std::vector<AnySessionInit> inits) : inits_(std::move(inits)) {}
  void init(Session& session) const override;

 private:
  std::vector<AnySessionInit> inits_;
};

struct SmartInitOptions {
  bool ignore_mismatch = false;
};

/// What fits the argument: SaverRestore (or SaverRestoreRelaxed with ignore_mismatch) for a TensorFlow
/// checkpoint, DictRestore for a .npz, .npy, .safetensors or .caffemodel file or a map, nothing for an empty
/// path; a ChainInit of what fits each of several paths.
class SmartInit : public SessionInit {
 public:
  explicit SmartInit(const std::string& path, SmartInitOptions options = {});
  explicit SmartInit(const char* path, SmartInitOptions options = {})
      : SmartInit(std::string(path), options) {}
  explicit SmartInit(std::map<std::string, at::Tensor> values, SmartInitOptions options = {});
  explicit SmartInit(const std::vector<std::string>& paths, SmartInitOptions options = {});
  /// SmartInit({"backbone.npz", "head.npz"})
  explicit SmartInit(std::initializer_list<std::string> paths, SmartInitOptions options = {})
      : SmartInit(std::vector<std::string>(paths), options) {}
  void init(Session& session) const override {
    if (init_) init_->init(session);
  }

 private:
  AnySessionInit init_;
};

}  // namespace belfry
