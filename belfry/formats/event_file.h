#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "belfry/base/file_system.h"

namespace belfry {

class Histogram;

/// Values for TensorBoard that belong to one step: a serialized Summary that grows.
class Summary {
 public:
  void add_scalar(std::string_view tag, float value);
  /// Non-finite values are left out, as Histogram says.
  void add_histogram(std::string_view tag, const Histogram& histogram);
  /// `png` is the file of a picture of that size; `channels` 1, 3 or 4.
  void add_image(std::string_view tag, int height, int width, int channels, std::string_view png);

  /// A text, which TensorBoard takes for Markdown.
  void add_text(std::string_view tag, std::string_view text);

  bool empty() const { return bytes_.empty(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Which events wait in memory for those that follow.
struct EventBuffering {
  /// How many events may wait; 0: every event goes to the system at once.
  size_t max_queue = 0;
  /// An event that comes so many seconds after the last writing has all written.
  double flush_secs = 120;
};

/// Writes one event file that TensorBoard reads: `events.out.tfevents.<seconds>.<host>.<pid>.<n>`, a name
/// that no other writer has. The seconds are those of the clock, or more where a file in the folder has more
/// (of a host whose clock is ahead, of this second): TensorBoard reads the files by name, and this one last.
/// Every event goes to the system in one piece, so that a killed process leaves at most one partial record at
/// the end (and loses what waits, with EventBuffering), and never appends to an old file. Safe to use from
/// several threads.
///
/// Every function throws DataError when the disk refuses. The record may then be half written: drop the
/// writer and open a new one, which is a new file.
class EventFileWriter {
 public:
  /// Creates `folder` when it is missing, and the file with its first event, the format's version.
  explicit EventFileWriter(const std::string& folder, FileSystem& files = FileSystem::posix(),
                           EventBuffering buffering = {});
  /// What still waits is lost: sync() before.
  ~EventFileWriter();

  const std::string& path() const { return path_; }

  void write(const Summary& summary, int64_t step);
  /// `graph_def`: a serialized GraphDef, which TensorBoard shows as the run's graph.
  void write_graph(std::string_view graph_def);
  /// Tells TensorBoard to forget what earlier runs in this folder wrote for `step` and later. The very first
  /// such event of a folder is passed over by some of its loaders.
  void write_session_start(int64_t step);
  /// Says that the run has ended as it should, for `last_session_has_stopped`.
  void write_session_stop();

  /// Writes what waits, and makes everything so far survive a loss of power. (The death of the process it
  /// survives anyway.)
  void sync();

 private:
  void write_event(std::optional<int64_t> step, int field, std::string_view content);
  void write_waiting();  ///< with the lock

  std::mutex mutex_;
  std::string path_;
  std::unique_ptr<WritableFile> file_;
  EventBuffering buffering_;
  std::string waiting_;
  size_t num_waiting_ = 0;
  double last_written_ = 0;  ///< by the clock, in seconds
};

/// Whether the last event of the last event file in `folder` is write_session_stop's; nullopt when there is
/// no event file. False of a run that was killed, and of other programs' files.
std::optional<bool> last_session_has_stopped(const std::string& folder,
                                             FileSystem& files = FileSystem::posix());

}  // namespace belfry
