#include "belfry/formats/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <protozero/pbf_writer.hpp>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/formats/histogram.h"
#include "belfry/formats/tfrecord.h"

// TensorBoard's event files: tensorflow.Event messages as TFRecords, in a file whose name begins with
// "events.out.tfevents". Every event is handed to the system at once, so that TensorBoard sees it, and what
// is written stays when the program dies.
namespace belfry {
namespace {

using protozero::pbf_writer;

// Field numbers of the messages in tensorflow/core/util/event.proto and framework/summary.proto.
namespace event {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kGraphDef = 4, kSummary = 5, kSessionLog = 7;
}
namespace value {
constexpr int kTag = 1, kSimpleValue = 2, kImage = 4, kHistogram = 5, kTensor = 8, kMetadata = 9;
}
constexpr int kSummaryValue = 1;
constexpr int kSessionLogStatus = 1, kStatusStart = 1, kStatusStop = 2;

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

constexpr std::string_view kNamePrefix = "events.out.tfevents.";

/// The name of the event file in `folder` that TensorBoard reads last; "" when there is none.
std::string last_name(const std::string& folder, FileSystem& files) {
  std::string last;
  for (std::string& name : files.list(folder)) {
    if (name.starts_with(kNamePrefix)) last = std::max(last, std::move(name));
  }
  return last;
}

// The process id and the count tell writers of one host and second apart.
std::string unique_name(const std::string& folder, FileSystem& files) {
  static std::atomic<int> count{0};
  auto seconds = static_cast<int64_t>(now());
  if (const std::string last = last_name(folder, files); !last.empty()) {
    int64_t taken = 0;
    const char* digits = last.data() + kNamePrefix.size();
    std::from_chars(digits, last.data() + last.size(), taken);
    // Ten digits, or the names would no longer be in the order of the numbers.
    if (taken < 9'999'999'999) seconds = std::max(seconds, taken + 1);
  }
  return fmt::format("{}{:010}.{}.{}.{}", kNamePrefix, seconds, host_name(), ::getpid(), count++);
}

std::string session_log(int status) {
  std::string log;
  pbf_writer(log).add_enum(kSessionLogStatus, status);
  return log;
}

std::string event_bytes(double wall_time, std::optional<int64_t> step, int field, std::string_view content) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_double(event::kWallTime, wall_time);
  if (step && *step != 0) message.add_int64(event::kStep, *step);
  message.add_bytes(static_cast<protozero::pbf_tag_type>(field), content.data(), content.size());
  return bytes;
}

}  // namespace

void Summary::add_scalar(std::string_view tag, float scalar) {
  pbf_writer summary(bytes_);
  pbf_writer message(summary, kSummaryValue);
  message.add_string(value::kTag, tag.data(), tag.size());
  message.add_float(value::kSimpleValue, scalar);
}

void Summary::add_histogram(std::string_view tag, const Histogram& histogram) {
  Histogram::Buckets buckets = histogram.buckets();
  pbf_writer summary(bytes_);
  pbf_writer message(summary, kSummaryValue);
  message.add_string(value::kTag, tag.data(), tag.size());
  pbf_writer proto(message, value::kHistogram);
  proto.add_double(1, histogram.min);
  proto.add_double(2, histogram.max);
  proto.add_double(3, histogram.num);
  proto.add_double(4, histogram.sum);
  proto.add_double(5, histogram.sum_squares);
  proto.add_packed_double(6, buckets.limits.begin(), buckets.limits.end());
  proto.add_packed_double(7, buckets.counts.begin(), buckets.counts.end());
}

void Summary::add_image(std::string_view tag, int height, int width, int channels, std::string_view png) {
  pbf_writer summary(bytes_);
  pbf_writer message(summary, kSummaryValue);
  message.add_string(value::kTag, tag.data(), tag.size());
  pbf_writer image(message, value::kImage);
  image.add_int32(1, height);
  image.add_int32(2, width);
  image.add_int32(3, channels);  // the colour space's number is its channel count
  image.add_bytes(4, png.data(), png.size());
}

void Summary::add_text(std::string_view tag, std::string_view text) {
  constexpr int kString = 7;  // of DataType
  pbf_writer summary(bytes_);
  pbf_writer message(summary, kSummaryValue);
  message.add_string(value::kTag, tag.data(), tag.size());
  {
    pbf_writer tensor(message, value::kTensor);  // a scalar
    tensor.add_enum(1, kString);
    { pbf_writer shape(tensor, 2); }
    tensor.add_bytes(8, text.data(), text.size());
  }
  pbf_writer metadata(message, value::kMetadata);
  pbf_writer plugin(metadata, 1);
  plugin.add_string(1, "text");
}

EventFileWriter::EventFileWriter(const std::string& folder, FileSystem& files, EventBuffering buffering)
    : buffering_(buffering) {
  files.make_dirs(folder);
  path_ = folder + "/" + unique_name(folder, files);
  file_ = files.create(path_);
  write_event({}, event::kFileVersion, "brain.Event:2");
  std::lock_guard lock(mutex_);
  write_waiting();
}

EventFileWriter::~EventFileWriter() = default;

void EventFileWriter::write_event(std::optional<int64_t> step, int field, std::string_view content) {
  const double time = now();
  const std::string record = frame_record(event_bytes(time, step, field, content));
  std::lock_guard lock(mutex_);
  waiting_ += record;
  ++num_waiting_;
  if (num_waiting_ > buffering_.max_queue || time - last_written_ >= buffering_.flush_secs) write_waiting();
}

void EventFileWriter::write_waiting() {
  last_written_ = now();
  num_waiting_ = 0;
  const std::string bytes = std::exchange(waiting_, {});
  if (!bytes.empty()) file_->append(as_byte_span(bytes));
}

void EventFileWriter::write(const Summary& summary, int64_t step) {
  write_event(step, event::kSummary, summary.bytes());
}

void EventFileWriter::write_graph(std::string_view graph_def) {
  write_event({}, event::kGraphDef, graph_def);
}

void EventFileWriter::write_session_start(int64_t step) {
  write_event(step, event::kSessionLog, session_log(kStatusStart));
}

void EventFileWriter::write_session_stop() {
  write_event({}, event::kSessionLog, session_log(kStatusStop));
}

void EventFileWriter::sync() {
  std::lock_guard lock(mutex_);
  write_waiting();
  file_->sync();
}

std::optional<bool> last_session_has_stopped(const std::string& folder, FileSystem& files) {
  if (!files.exists(folder)) return std::nullopt;
  const std::string name = last_name(folder, files);
  if (name.empty()) return std::nullopt;
  // All events of this kind have one length: that of their time is fixed.
  const std::string wanted = event_bytes(0, {}, event::kSessionLog, session_log(kStatusStop));
  const size_t time_end = 1 + sizeof(double), length = frame_record(wanted).size();
  const std::string path = folder + "/" + name;
  const auto file = files.open(path);
  if (file->size() < length) return false;
  std::vector<std::byte> tail(length);
  file->read(file->size() - length, tail);
  try {
    const std::string_view event = parse_record(path, file->size() - length, tail);
    return event.size() == wanted.size() &&
           event.substr(time_end) == std::string_view(wanted).substr(time_end);
  } catch (const DataError&) {
    return false;  // the last record is another, or torn
  }
}

}  // namespace belfry
