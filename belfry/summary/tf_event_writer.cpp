#include "belfry/summary/tf_event_writer.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/formats/event_file.h"
#include "belfry/formats/histogram.h"
#include "belfry/formats/png.h"
#include "belfry/loop/trainer.h"
#include "belfry/summary/internal/graph_event.h"

namespace belfry {

TFEventWriter::TFEventWriter(std::string log_dir, TFEventWriterOptions options)
    : TFEventWriter(std::move(log_dir), FileSystem::posix(), options) {}
TFEventWriter::TFEventWriter(std::string log_dir, FileSystem& files, TFEventWriterOptions options)
    : log_dir_(std::move(log_dir)), files_(&files), options_(options) {
  if (options_.max_queue < 0 || !(options_.flush_secs >= 0)) {
    throw UsageError(
        fmt::format("[TFEventWriter] expected max_queue and flush_secs of 0 or more, got {} and {}",
                    options_.max_queue, options_.flush_secs));
  }
}
TFEventWriter::TFEventWriter(TFEventWriter&&) noexcept = default;
TFEventWriter::~TFEventWriter() = default;

void TFEventWriter::setup_graph() {
  if (log_dir_.empty()) log_dir_ = trainer().log_dir();
  if (log_dir_.empty()) log_warning("The trainer has no log_dir. TFEventWriter writes nothing.");
}

void TFEventWriter::before_train() {
  start_ = trainer().global_step();
  if (start_ > 0) attempt([](EventFileWriter&) {});
}

void TFEventWriter::open() {
  const std::optional<bool> stopped =
      has_started_ ? std::nullopt : last_session_has_stopped(log_dir_, *files_);
  file_ =
      std::make_unique<EventFileWriter>(log_dir_, *files_,
                                        EventBuffering{.max_queue = static_cast<size_t>(options_.max_queue),
                                                       .flush_secs = options_.flush_secs});
  if (has_started_) return;
  const int64_t step = start_.value_or(trainer().global_step());
  if (step == 0 && stopped == false) {
    log_info(
        "[TFEventWriter] an earlier run in {} was interrupted before its first checkpoint: TensorBoard shows "
        "this one in its place.",
        log_dir_);
  }
  if (step > 0 || stopped == false) {
    // Twice: TensorBoard takes the first that it finds in a folder for the beginning of the first run.
    for (int i = 0; i < 2; ++i) file_->write_session_start(step > 0 ? step + 1 : 0);
  }
  // A run that goes on has shown it.
  if (trainer().graph().finalized() && (step == 0 || !stopped)) {
    try {
      file_->write_graph(internal::graph_def_of(trainer().graph()));
    } catch (const UsageError& e) {  // too large
      log_warning("[TFEventWriter] TensorBoard will not show the graph: {}", e.what());
    }
  }
  has_started_ = true;
}

void TFEventWriter::trigger() {
  is_broken_ = false;
  if (file_ && !files_->exists(file_->path())) {
    warn_once(file_->path() + " was removed");
    file_.reset();
  }
  if (file_) attempt([](EventFileWriter& file) { file.sync(); });
  if (options_.split_files) file_.reset();
}

void TFEventWriter::after_train() {
  if (file_ || (options_.split_files && has_started_)) {
    attempt([&](EventFileWriter& file) {
      if (!trainer().failed()) file.write_session_stop();
      file.sync();
    });
  }
  file_.reset();
}

void TFEventWriter::put_scalar(const std::string& tag, double value, int64_t step) {
  Summary summary;
  summary.add_scalar(tag, static_cast<float>(value));
  attempt([&](EventFileWriter& file) { file.write(summary, step); });
}

void TFEventWriter::put_histogram(const std::string& tag, const at::Tensor& values, int64_t step) {
  const at::Tensor floats = values.to(at::kCPU, at::kFloat).contiguous();
  Histogram histogram;
  histogram.add(std::span(floats.const_data_ptr<float>(), static_cast<size_t>(floats.numel())));
  if (histogram.non_finite > 0) {
    log_warning(
        "[TFEventWriter] {} of {} values of '{}' are not finite at global_step={}; its histogram leaves them "
        "out.",
        histogram.non_finite, floats.numel(), tag, step);
  }
  Summary summary;
  summary.add_histogram(tag, histogram);
  attempt([&](EventFileWriter& file) { file.write(summary, step); });
}

void TFEventWriter::put_image(const std::string& tag, const at::Tensor& images, int64_t step) {
  const int count = static_cast<int>(images.size(0));
  const int height = static_cast<int>(images.size(1)), width = static_cast<int>(images.size(2)),
            channels = static_cast<int>(images.size(3));
  Summary summary;
  for (int i = 0; i < count; ++i) {
    const at::Tensor pixels = images[i].contiguous();
    const std::string png =
        encode_png(std::span(pixels.const_data_ptr<uint8_t>(), static_cast<size_t>(pixels.numel())), height,
                   width, channels);
    summary.add_image(count == 1 ? tag : fmt::format("{}/{}", tag, i), height, width, channels, png);
  }
  if (!summary.empty()) attempt([&](EventFileWriter& file) { file.write(summary, step); });
}

void TFEventWriter::put_text(const std::string& tag, const std::string& text, int64_t step) {
  Summary summary;
  summary.add_text(tag, text);
  attempt([&](EventFileWriter& file) { file.write(summary, step); });
}

void TFEventWriter::attempt(const std::function<void(EventFileWriter&)>& action) {
  if (log_dir_.empty() || is_broken_) return;
  try {
    if (!file_) open();
    action(*file_);
  } catch (const DataError& e) {
    // What is in the file stays readable; its last record may be half written, so it takes no more.
    file_.reset();
    is_broken_ = true;
    warn_once(e.what());
  }
}

void TFEventWriter::warn_once(const std::string& problem) {
  if (!warned_)
    log_warning("[TFEventWriter] {}; training goes on, the next epoch starts a new file.", problem);
  warned_ = true;
}

}  // namespace belfry
