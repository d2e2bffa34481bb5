#include "tests/support/fault_file_system.h"

#include <cstring>

#include "belfry/base/error.h"

namespace belfry::test {

bool FaultFileSystem::fails() {
  int call = calls++;
  return fail_at >= 0 && (call == fail_at || (stay_broken && call > fail_at));
}

void FaultFileSystem::count(const std::string& path) {
  if (fails()) throw DataError(path, "injected");
}

class FaultFileSystem::Writable : public WritableFile {
 public:
  Writable(FaultFileSystem& files, std::string path, std::shared_ptr<Inode> inode)
      : files_(files), path_(std::move(path)), inode_(std::move(inode)) {}

  void append(ByteSpan bytes) override {
    bool fails = files_.fails();
    inode_->live.append(reinterpret_cast<const char*>(bytes.data()), fails ? bytes.size() / 2 : bytes.size());
    if (fails) throw DataError(path_, "injected");
  }
  void sync() override {
    files_.count(path_);
    inode_->synced = inode_->live;
  }
  void close() override { files_.count(path_); }

 private:
  FaultFileSystem& files_;
  std::string path_;
  std::shared_ptr<Inode> inode_;
};

class FaultFileSystem::Readable : public ReadableFile {
 public:
  Readable(std::string path, std::shared_ptr<Inode> inode)
      : path_(std::move(path)), inode_(std::move(inode)) {}
  uint64_t size() const override { return inode_->live.size(); }
  void read(uint64_t offset, MutableByteSpan out) const override {
    if (offset > size() || out.size() > size() - offset) throw DataError(path_, offset, "file ends");
    if (!out.empty()) std::memcpy(out.data(), inode_->live.data() + offset, out.size());
  }

 private:
  std::string path_;
  std::shared_ptr<Inode> inode_;
};

void FaultFileSystem::crash() {
  live_ = synced_;
  for (auto& [name, inode] : live_) inode = std::make_shared<Inode>(Inode{inode->synced, inode->synced});
  synced_ = live_;
}

void FaultFileSystem::put(const std::string& path, std::string content) {
  live_[path] = synced_[path] = std::make_shared<Inode>(Inode{content, content});
}

std::shared_ptr<FaultFileSystem::Inode> FaultFileSystem::inode(const std::string& path) {
  auto found = live_.find(path);
  if (found == live_.end()) throw DataError(path, "no such file");
  return found->second;
}

std::unique_ptr<WritableFile> FaultFileSystem::create(const std::string& path) {
  count(path);
  if (live_.contains(path)) throw DataError(path, "exists");
  live_[path] = std::make_shared<Inode>();
  return std::make_unique<Writable>(*this, path, live_[path]);
}

std::unique_ptr<ReadableFile> FaultFileSystem::open(const std::string& path) {
  return std::make_unique<Readable>(path, inode(path));
}

// A folder is there when something is in it.
bool FaultFileSystem::exists(const std::string& path) {
  const auto inside = live_.lower_bound(path + "/");
  return live_.contains(path) || (inside != live_.end() && inside->first.starts_with(path + "/"));
}

// Long ago, as what was put there.
std::filesystem::file_time_type FaultFileSystem::modified(const std::string& path) {
  inode(path);
  return std::filesystem::file_time_type::min();
}

void FaultFileSystem::copy_mode(const std::string& from, const std::string& to) {
  count(to);
  inode(from), inode(to);
}

void FaultFileSystem::rename(const std::string& from, const std::string& to) {
  count(from);
  live_[to] = inode(from);
  live_.erase(from);
}

void FaultFileSystem::remove(const std::string& path) {
  count(path);
  inode(path);
  live_.erase(path);
}

void FaultFileSystem::remove_tree(const std::string& path) {
  count(path);
  std::erase_if(
      live_, [&](const auto& entry) { return entry.first == path || entry.first.starts_with(path + "/"); });
}

std::vector<std::string> FaultFileSystem::list(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& [path, inode] : live_) {
    if (folder_of(path) == folder) names.push_back(std::filesystem::path(path).filename().string());
  }
  return names;
}

void FaultFileSystem::make_dirs(const std::string& folder) {
  count(folder);
}

void FaultFileSystem::sync_file(const std::string& path) {
  count(path);
  inode(path)->synced = inode(path)->live;
}

void FaultFileSystem::sync_dir(const std::string& folder) {
  count(folder);
  std::erase_if(synced_, [&](const auto& entry) { return folder_of(entry.first) == folder; });
  for (const auto& [path, inode] : live_) {
    if (folder_of(path) == folder) synced_[path] = inode;
  }
}

}  // namespace belfry::test
