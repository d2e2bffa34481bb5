#include "belfry/base/atomic_file.h"

#include <unistd.h>

#include <atomic>
#include <chrono>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry {
namespace {

// The pattern is TensorFlow's, so its users' clean-up scripts fit.
constexpr std::string_view kTemporaryMark = ".tempstate";

const auto kProcessStart = std::filesystem::file_time_type::clock::now();

// File systems round times down, to a tick of the kernel or to two seconds.
constexpr std::chrono::seconds kFileTimeGrain(2);

// Differs between processes and, through the clock, between machines that share a folder.
std::string temporary_name(const std::string& path) {
  static const auto ticks = static_cast<uint64_t>(kProcessStart.time_since_epoch().count());
  static const uint64_t seed = (ticks << 16) ^ (static_cast<uint64_t>(::getpid()) << 40);
  static std::atomic<uint64_t> count{0};
  return path + std::string(kTemporaryMark) + std::to_string(seed + count++);
}

bool is_temporary(const std::string& name) {
  size_t mark = name.rfind(kTemporaryMark);
  if (mark == std::string::npos) return false;
  std::string_view number = std::string_view(name).substr(mark + kTemporaryMark.size());
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

AtomicFile::AtomicFile(FileSystem& files, std::string path)
    : files_(files),
      path_(std::move(path)),
      temporary_(temporary_name(path_)),
      file_(files.create(temporary_)) {}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  file_.reset();
  try {
    files_.remove(temporary_);
  } catch (const DataError& e) {
    log_warning("[AtomicFile] a temporary file stays: {}", e.what());
  }
}

void AtomicFile::append(ByteSpan bytes) {
  file_->append(bytes);
}

void AtomicFile::publish() {
  file_->sync();
  file_->close();
  files_.rename(temporary_, path_);
  temporary_.clear();
  files_.sync_dir(folder_of(path_));
}

void write_file_atomically(FileSystem& files, const std::string& path, ByteSpan content) {
  AtomicFile file(files, path);
  file.append(content);
  file.publish();
}

void remove_stale_temporaries(FileSystem& files, const std::string& folder) {
  for (const std::string& name : files.list(folder)) {
    if (!is_temporary(name)) continue;
    const std::string path = folder + "/" + name;
    try {
      if (files.modified(path) + kFileTimeGrain < kProcessStart) files.remove(path);
    } catch (const DataError& e) {
      log_warning("[AtomicFile] an old temporary file stays: {}", e.what());
    }
  }
}

}  // namespace belfry
