#include "belfry/checkpoint/internal/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry::internal {
namespace {

constexpr const char* kLockName = "checkpoint.lock";

std::string read_owner(int descriptor) {
  char buffer[32];
  const ssize_t size = ::pread(descriptor, buffer, sizeof buffer, 0);
  const std::string text(buffer, size > 0 ? static_cast<size_t>(size) : 0);
  const std::string digits = text.substr(0, text.find_first_not_of("0123456789"));
  return digits.empty() ? "unknown" : digits;
}

}  // namespace

std::shared_ptr<FolderLock> FolderLock::acquire(const std::string& folder) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<FolderLock>> held;
  std::lock_guard guard(mutex);
  std::weak_ptr<FolderLock>& entry = held[std::filesystem::canonical(folder).string()];
  auto lock = entry.lock();
  if (!lock) entry = lock = std::shared_ptr<FolderLock>(new FolderLock(folder));
  return lock;
}

FolderLock::FolderLock(const std::string& folder) {
  const std::string path = folder + "/" + kLockName;
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw DataError(path, std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
    const std::string owner = std::to_string(::getpid());
    // Only a hint for the message below: a failure to write it does no harm.
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, owner.data(), owner.size(), 0) < 0) {
      log_debug("[FolderLock] {}: {}", path, std::strerror(errno));
    }
  } else if (errno == EWOULDBLOCK) {
    const std::string owner = read_owner(descriptor_);
    ::close(descriptor_);
    throw DataError(
        folder,
        fmt::format("expected to be the only training that saves here, but process {} does; give each "
                    "training a folder of its own",
                    owner));
  } else {
    log_warning("[FolderLock] cannot lock {} ({}): two trainings that save here would not notice each other",
                path, std::strerror(errno));
  }
}

FolderLock::~FolderLock() {
  ::close(descriptor_);
}

}  // namespace belfry::internal
