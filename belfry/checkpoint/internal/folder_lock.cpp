#include "belfry/checkpoint/internal/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
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

bool holds_no_more_than_an_owner(int descriptor) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  char buffer[32];
  if (status.st_size > static_cast<off_t>(sizeof buffer)) return false;
  const ssize_t size = ::pread(descriptor, buffer, sizeof buffer, 0);
  return size >= 0 && std::all_of(buffer, buffer + size, [](unsigned char c) { return std::isdigit(c); });
}

// Only a hint for the message of others: a failure to write it does no harm.
void write_owner(int descriptor, const std::string& path) {
  const std::string owner = std::to_string(::getpid());
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, owner.data(), owner.size(), 0) < 0) {
    log_debug("[FolderLock] {}: {}", path, std::strerror(errno));
  }
}

// The descriptor that holds the lock of `folder`.
int lock(const std::string& folder) {
  const std::string path = folder + "/" + kLockName;
  // Whatever else has this name, a link to a file of the user's say, stays as it is.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (descriptor < 0) throw DataError(path, fmt::format("cannot lock it: {}", std::strerror(errno)));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    if (holds_no_more_than_an_owner(descriptor)) write_owner(descriptor, path);
  } else if (errno == EWOULDBLOCK) {
    const std::string owner = read_owner(descriptor);
    ::close(descriptor);
    throw DataError(
        folder,
        fmt::format("expected to be the only training that saves here, but process {} does; give each "
                    "training a folder of its own",
                    owner));
  } else {
    log_warning("[FolderLock] cannot lock {} ({}): two trainings that save here would not notice each other",
                path, std::strerror(errno));
  }
  return descriptor;
}

struct Claim {
  int descriptor = -1;
  int users = 0;
};

std::mutex mutex;

// Never destroyed: a lock may live in a static object.
std::map<std::string, Claim>& claims() {
  static auto& claims = *new std::map<std::string, Claim>;
  return claims;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) {
  std::error_code error;
  folder_ = std::filesystem::canonical(folder, error).string();
  if (error) throw DataError(folder, "cannot lock folder: " + error.message());
  std::lock_guard guard(mutex);
  auto held = claims().find(folder_);
  if (held == claims().end()) held = claims().emplace(folder_, Claim{.descriptor = lock(folder)}).first;
  ++held->second.users;
}

FolderLock::~FolderLock() {
  std::lock_guard guard(mutex);
  auto held = claims().find(folder_);
  if (--held->second.users > 0) return;
  ::close(held->second.descriptor);
  claims().erase(held);
}

}  // namespace belfry::internal
