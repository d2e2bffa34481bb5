#include "belfry/formats/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <protozero/pbf_writer.hpp>

#include "belfry/formats/histogram.h"
#include "belfry/formats/tfrecord.h"

namespace belfry {
namespace {

using protozero::pbf_writer;

// Field numbers of the messages in tensorflow/core/util/event.proto and framework/summary.proto.
namespace event {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace value {
constexpr int kTag = 1, kSimpleValue = 2, kImage = 4, kHistogram = 5;
}
constexpr int kSummaryValue = 1;
constexpr int kSessionLogStatus = 1, kStatusStart = 1;

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

// The process id and the count tell writers of one host and second apart.
std::string unique_name() {
  static std::atomic<int> count{0};
  return fmt::format("events.out.tfevents.{:010}.{}.{}.{}", static_cast<int64_t>(now()), host_name(),
                     ::getpid(), count++);
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

EventFileWriter::EventFileWriter(const std::string& folder, FileSystem& files) {
  files.make_dirs(folder);
  path_ = folder + "/" + unique_name();
  file_ = files.create(path_);
  write_event({}, event::kFileVersion, "brain.Event:2");
}

EventFileWriter::~EventFileWriter() = default;

void EventFileWriter::write_event(std::optional<int64_t> step, int field, std::string_view content) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_double(event::kWallTime, now());
  if (step && *step != 0) message.add_int64(event::kStep, *step);
  message.add_bytes(static_cast<protozero::pbf_tag_type>(field), content.data(), content.size());
  std::string record = frame_record(bytes);
  std::lock_guard lock(mutex_);
  file_->append(as_byte_span(record));
}

void EventFileWriter::write(const Summary& summary, int64_t step) {
  write_event(step, event::kSummary, summary.bytes());
}

void EventFileWriter::write_session_start(int64_t step) {
  std::string log;
  pbf_writer(log).add_enum(kSessionLogStatus, kStatusStart);
  write_event(step, event::kSessionLog, log);
}

void EventFileWriter::sync() {
  std::lock_guard lock(mutex_);
  file_->sync();
}

}  // namespace belfry
