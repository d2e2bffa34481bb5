#include "belfry/base/atomic_file.h"

#include <chrono>
#include <random>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry {
namespace {

// The pattern is TensorFlow's, so its users' clean-up scripts fit.
constexpr std::string_view kTemporaryMark = ".tempstate";

const auto kProcessStart = std::filesystem::file_time_type::clock::now();

// File systems round times down, to a tick of the kernel or to two seconds.
constexpr std::chrono::seconds kFileTimeGrain(2);

// Numbers of the system's: those of a generator of ours would be the same in both processes after a fork.
std::string temporary_name(const std::string& path) {
  std::random_device random;
  const uint64_t number = uint64_t{random()} << 32 | random();
  return path + std::string(kTemporaryMark) + std::to_string(number);
}

bool is_temporary(const std::string& name) {
  size_t mark = name.rfind(kTemporaryMark);
  if (mark == std::string::npos) return false;
  std::string_view number = std::string_view(name).substr(mark + kTemporaryMark.size());
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

TemporaryPath::TemporaryPath(FileSystem& files, const std::string& path)
    : files_(files), target_(files.follow_links(path)), temporary_(temporary_name(target_)) {}

TemporaryPath::~TemporaryPath() {
  if (temporary_.empty()) return;
  try {
    files_.remove_tree(temporary_);
  } catch (const DataError& e) {
    log_warning("[AtomicFile] a temporary file stays: {}", e.what());
  }
}

std::unique_ptr<WritableFile> TemporaryPath::create() {
  return files_.exists(target_) ? files_.create_private(temporary_) : files_.create(temporary_);
}

void TemporaryPath::publish() {
  if (files_.exists(target_)) files_.copy_mode(target_, temporary_);
  files_.sync_file(temporary_);
  files_.rename(temporary_, target_);
  temporary_.clear();
  files_.sync_dir(folder_of(target_));
}

AtomicFile::AtomicFile(FileSystem& files, const std::string& path)
    : temporary_(files, path), file_(temporary_.create()) {}

void AtomicFile::append(ByteSpan bytes) {
  file_->append(bytes);
}

void AtomicFile::publish() {
  file_->close();
  temporary_.publish();
}

void write_file_atomically(FileSystem& files, const std::string& path, ByteSpan content) {
  AtomicFile file(files, path);
  file.append(content);
  file.publish();
}

bool predates_this_process(FileSystem& files, const std::string& path) {
  return files.modified(path) + kFileTimeGrain < kProcessStart;
}

void remove_stale_temporaries(FileSystem& files, const std::string& folder) {
  for (const std::string& name : files.list(folder)) {
    if (!is_temporary(name)) continue;
    const std::string path = folder + "/" + name;
    try {
      if (predates_this_process(files, path)) files.remove(path);
    } catch (const DataError& e) {
      log_warning("[AtomicFile] an old temporary file stays: {}", e.what());
    }
  }
}

}  // namespace belfry
