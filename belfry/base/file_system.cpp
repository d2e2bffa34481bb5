#include "belfry/base/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "belfry/base/error.h"

// POSIX calls with an error for every failure, the path in each. Calls that a signal interrupts are made
// again, but close(), which releases the descriptor even then. New files are created exclusively, so that
// nobody's link or file is ever written through.
namespace belfry {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& action, int error) {
  throw DataError(path, "cannot " + action + ": " + std::generic_category().message(error));
}

void check(const std::error_code& error, const std::string& path, const std::string& action) {
  if (error) fail(path, action, error.value());
}

// Calls again after a signal.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

constexpr mode_t kAsTheUmaskSays = 0666, kThisUserOnly = 0600;

int open_or_fail(const std::string& path, int flags, const std::string& action,
                 mode_t mode = kAsTheUmaskSays) {
  int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) fail(path, action, errno);
  return fd;
}

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(const std::string& path, mode_t mode)
      : path_(path), fd_(open_or_fail(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, "create", mode)) {}
  ~PosixWritableFile() override {
    if (fd_ >= 0) ::close(fd_);
  }

  void append(ByteSpan bytes) override {
    while (!bytes.empty()) {
      ssize_t n = retry([&] { return ::write(fd_, bytes.data(), bytes.size()); });
      if (n < 0) fail(path_, "write " + std::to_string(bytes.size()) + " bytes", errno);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
  }

  void sync() override {
    if (retry([&] { return ::fsync(fd_); }) < 0) fail(path_, "sync", errno);
  }

  void close() override {
    // Linux releases the descriptor also when close() reports an error: never call it twice.
    int result = ::close(std::exchange(fd_, -1));
    if (result < 0 && errno != EINTR) fail(path_, "close", errno);
  }

 private:
  std::string path_;
  int fd_;
};

class PosixReadableFile : public ReadableFile {
 public:
  // A pipe without a writer would keep open() waiting, and has no bytes to be read from an offset.
  explicit PosixReadableFile(const std::string& path)
      : path_(path), fd_(open_or_fail(path, O_RDONLY | O_NONBLOCK, "open")) {
    struct stat status;
    const int error = ::fstat(fd_, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (!error && S_ISREG(status.st_mode)) {
      size_ = static_cast<uint64_t>(status.st_size);
      return;
    }
    ::close(fd_);
    if (error) fail(path_, "open", error);
    throw DataError(path_, "expected a file, got a pipe, socket or device");
  }
  ~PosixReadableFile() override { ::close(fd_); }

  uint64_t size() const override { return size_; }

  void read(uint64_t offset, MutableByteSpan out) const override {
    for (size_t done = 0; done < out.size();) {
      ssize_t n = retry([&] {
        return ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) fail(path_, "read", errno);
      if (n == 0) {
        throw DataError(path_, offset,
                        "expected " + std::to_string(out.size()) + " bytes, but the file has " +
                            std::to_string(size_) + " in all");
      }
      done += static_cast<size_t>(n);
    }
  }

 private:
  std::string path_;
  int fd_;
  uint64_t size_ = 0;
};

class PosixFileSystem : public FileSystem {
 public:
  std::unique_ptr<WritableFile> create(const std::string& path) override {
    return std::make_unique<PosixWritableFile>(path, kAsTheUmaskSays);
  }

  std::unique_ptr<WritableFile> create_private(const std::string& path) override {
    return std::make_unique<PosixWritableFile>(path, kThisUserOnly);
  }

  std::unique_ptr<ReadableFile> open(const std::string& path) override {
    return std::make_unique<PosixReadableFile>(path);
  }

  bool exists(const std::string& path) override {
    std::error_code error;
    const bool exists = std::filesystem::exists(path, error);
    if (error == std::errc::filename_too_long) return false;
    check(error, path, "look for it");
    return exists;
  }

  std::string follow_links(const std::string& path) override {
    constexpr int kMaxLinks = 40;  // as Linux
    std::filesystem::path target = path;
    std::error_code error;
    for (int i = 0; std::filesystem::is_symlink(target, error); ++i) {
      if (i == kMaxLinks) fail(path, "follow it", ELOOP);
      const std::filesystem::path next = std::filesystem::read_symlink(target, error);
      check(error, path, "follow it");
      target = target.parent_path() / next;
    }
    return target.string();
  }

  std::filesystem::file_time_type modified(const std::string& path) override {
    std::error_code error;
    auto time = std::filesystem::last_write_time(path, error);
    check(error, path, "ask for the time of change");
    return time;
  }

  void copy_mode(const std::string& from, const std::string& to) override {
    std::error_code error;
    const std::filesystem::perms mode = std::filesystem::status(from, error).permissions();
    if (!error) std::filesystem::permissions(to, mode, error);
    check(error, to, "set the permissions of " + from);
  }

  void rename(const std::string& from, const std::string& to) override {
    std::error_code error;
    std::filesystem::rename(from, to, error);
    check(error, from, "rename to " + to);
  }

  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) < 0) fail(path, "remove", errno);
  }

  void remove_tree(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    check(error, path, "remove");
  }

  std::vector<std::string> list(const std::string& folder) override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    check(error, folder, "list");
    std::sort(names.begin(), names.end());
    return names;
  }

  void make_dirs(const std::string& folder) override {
    std::error_code error;
    if (folder.empty() || std::filesystem::is_directory(folder, error)) return;
    const std::string parent = folder_of(folder);
    make_dirs(parent);
    std::filesystem::create_directory(folder, error);
    check(error, folder, "make folder");
    sync_dir(parent);
  }

  void sync_file(const std::string& path) override {
    const int fd = open_or_fail(path, O_RDONLY | O_NOFOLLOW, "open");
    const int error = retry([&] { return ::fsync(fd); }) < 0 ? errno : 0;
    ::close(fd);
    if (error) fail(path, "sync", error);
  }

  void sync_dir(const std::string& folder) override {
    int fd = open_or_fail(folder, O_RDONLY | O_DIRECTORY, "open folder");
    int error = retry([&] { return ::fsync(fd); }) < 0 ? errno : 0;
    ::close(fd);
    // Some network file systems have no fsync for folders and make names durable by themselves.
    if (error && error != EINVAL) fail(folder, "sync folder", error);
  }
};

}  // namespace

FileSystem& FileSystem::posix() {
  static PosixFileSystem files;
  return files;
}

std::string folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string read_file(FileSystem& files, const std::string& path, uint64_t max_size) {
  auto file = files.open(path);
  if (file->size() > max_size) {
    throw DataError(
        path, "expected at most " + std::to_string(max_size) + " bytes, got " + std::to_string(file->size()));
  }
  std::string content(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(content)));
  return content;
}

}  // namespace belfry
