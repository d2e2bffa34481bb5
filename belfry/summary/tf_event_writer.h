#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "belfry/loop/monitor.h"

namespace belfry {

class EventFileWriter;
class FileSystem;

struct TFEventWriterOptions {
  /// How many events may wait in memory before they are written, together. 0: each is written at once, so
  /// that a process that is killed has lost none. (tensorpack has 10.)
  int64_t max_queue = 0;
  /// They wait no longer than until the next event, so many seconds after the last writing.
  double flush_secs = 120;
  /// Whether each epoch has a file of its own: for file systems where appending is expensive.
  bool split_files = false;
};

/// Writes scalars, histograms, images, texts and the graph for TensorBoard: one new event file per run,
/// flushed each epoch.
///
/// A run that resumes tells TensorBoard to forget what an earlier one showed beyond the step it resumes from,
/// so that each tag's steps rise; so does one that starts at step 0 after a run in the same folder that was
/// killed or failed, which had no checkpoint to go on from.
///
/// A disk that fails, or a file that somebody removes, does not end training: there is one warning, what was
/// written stays readable, and the next epoch tries again with a new file.
class TFEventWriter : public Monitor {
 public:
  /// `log_dir`: where to write; "": the trainer's. Without either it warns and writes nothing.
  /// Throws UsageError for options below 0.
  explicit TFEventWriter(std::string log_dir = "", TFEventWriterOptions options = {});
  /// Writes to other files than the system's, which must outlive the writer.
  TFEventWriter(std::string log_dir, FileSystem& files, TFEventWriterOptions options = {});
  TFEventWriter(TFEventWriter&&) noexcept;
  ~TFEventWriter() override;

  std::string name() const override { return "TFEventWriter"; }
  void setup_graph() override;
  void before_train() override;
  void trigger() override;
  void after_train() override;

  void put_scalar(const std::string& tag, double value, int64_t step) override;
  /// Values that are not finite are left out, and counted in a warning.
  void put_histogram(const std::string& tag, const at::Tensor& values, int64_t step) override;
  /// A batch of several images is shown as `tag`/0, `tag`/1, ….
  void put_image(const std::string& tag, const at::Tensor& images, int64_t step) override;

  void put_text(const std::string& tag, const std::string& text, int64_t step) override;

 private:
  void open();
  /// Does something with the open file; turns a failure of the disk into the one warning.
  void attempt(const std::function<void(EventFileWriter&)>& action);
  void warn_once(const std::string& problem);

  std::string log_dir_;
  std::unique_ptr<EventFileWriter> file_;
  FileSystem* files_;
  TFEventWriterOptions options_;
  bool is_broken_ = false;  ///< until the next epoch
  bool warned_ = false;
  std::optional<int64_t> start_;  ///< the global step at which training began
  bool has_started_ = false;      ///< TensorBoard was told to forget what is not of this run
};

}  // namespace belfry
