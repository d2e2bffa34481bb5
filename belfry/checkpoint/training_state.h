#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "belfry/base/file_system.h"

namespace belfry {

/// What a training needs, besides the values of its variables, to go on as if it had not been interrupted.
///
/// It lies beside a checkpoint, in the file `<checkpoint>.training`, which TensorFlow and tensorpack do not
/// look at: TFRecords, so that damage shows, the first of which is JSON.
struct TrainingState {
  int64_t global_step = 0;
  /// The epoch under way, how many of its steps are done, and how many it has.
  int64_t epoch = 0, steps_done = 0, steps_per_epoch = 0;

  /// `index` datapoints of pass `pass` of the data are taken, as counted by the input named `source`.
  struct Data {
    std::string source;
    int64_t pass = 0, index = 0;
    /// In how many shares (SplitData) processes read them, of which this is the first.
    int64_t num_part = 1;
  };
  /// nullopt where the data cannot be resumed.
  std::optional<Data> data;
  /// States of generators of random numbers, by the names of their nodes.
  std::map<std::string, at::Tensor> random;
};

/// Writes the state beside the checkpoint `prefix`. Appears complete, or not at all. Throws DataError when
/// the disk refuses.
void write_training_state(const std::string& prefix, const TrainingState& state,
                          FileSystem& files = FileSystem::posix());

/// The state beside the checkpoint `prefix`; nullopt when there is none. Throws DataError for a damaged one.
std::optional<TrainingState> read_training_state(const std::string& prefix,
                                                 FileSystem& files = FileSystem::posix());

/// What a checkpoint's prefix is followed by in the name of the file: ".training".
inline constexpr char kTrainingStateSuffix[] = ".training";

}  // namespace belfry
