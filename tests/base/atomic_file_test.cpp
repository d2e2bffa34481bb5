#include "belfry/base/atomic_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "belfry/base/error.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  void write(const std::string& path, std::string_view content) {
    write_file_atomically(FileSystem::posix(), path, as_byte_span(content));
  }
  std::string read(const std::string& path) { return read_file(FileSystem::posix(), path, 1 << 20); }
  std::string temporary_of(const std::string& name) {
    for (const std::string& file : FileSystem::posix().list(dir.path())) {
      if (file.starts_with(name + ".tempstate")) return dir / file;
    }
    return "none";
  }
  size_t files() { return FileSystem::posix().list(dir.path()).size(); }

  test::TempDir dir;
};

TEST_F(AtomicFileTest, ReplacingAFileKeepsItsPermissions) {
  write(dir / "file", "old");
  fs::permissions(dir / "file", fs::perms::owner_read | fs::perms::owner_write);
  write(dir / "file", "new");
  EXPECT_EQ(read(dir / "file"), "new");
  EXPECT_EQ(fs::status(dir / "file").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AtomicFileTest, WhatReplacesAPrivateFileIsNeverReadableByOthers) {
  constexpr fs::perms kPrivate = fs::perms::owner_read | fs::perms::owner_write;
  write(dir / "file", "old");
  for (const fs::perms mode : {kPrivate, kPrivate | fs::perms::group_read}) {
    fs::permissions(dir / "file", mode);
    AtomicFile file(FileSystem::posix(), dir / "file");
    file.append(as_byte_span("secret"));
    EXPECT_EQ(fs::status(temporary_of("file")).permissions(), kPrivate);
    file.publish();
    EXPECT_EQ(fs::status(dir / "file").permissions(), mode);
  }
}

TEST_F(AtomicFileTest, ANewFileHasTheModeOfTheUmask) {
  const mode_t before = ::umask(026);
  write(dir / "file", "x");
  ::umask(before);
  EXPECT_EQ(fs::status(dir / "file").permissions(), fs::perms(0640));
}

TEST_F(AtomicFileTest, ASymbolicLinkStaysAndItsTargetIsReplaced) {
  fs::create_directory(dir / "other");
  fs::create_symlink("other/target", dir / "second");
  fs::create_symlink(fs::path(dir / "second"), dir / "first");
  for (const char* content : {"made", "replaced"}) {
    write(dir / "first", content);
    EXPECT_EQ(read(dir / "other/target"), content);
    EXPECT_TRUE(fs::is_symlink(dir / "first") && fs::is_symlink(dir / "second"));
  }
  EXPECT_EQ(FileSystem::posix().list(dir / "other").size(), 1u);
}

TEST_F(AtomicFileTest, ALinkToItselfIsAnError) {
  fs::create_symlink("loop", dir / "loop");
  EXPECT_THROW(write(dir / "loop", "x"), DataError);
}

// Both processes once took one temporary name, and one published the other's half of a file.
TEST_F(AtomicFileTest, ProcessesAfterAForkDoNotWriteIntoOneFile) {
  constexpr int kRounds = 30;
  const std::string a(100000, 'a'), b(100000, 'b');
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  int failed = 0;
  for (int i = 0; i < kRounds; ++i) {
    try {
      write(dir / "file", child == 0 ? a : b);
      const std::string content = read(dir / "file");
      failed += content != a && content != b;
    } catch (const DataError&) {
      ++failed;
    }
  }
  if (child == 0) ::_exit(failed);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, AFolderIsPublishedOrRemovedWithAllInIt) {
  FileSystem& files = FileSystem::posix();
  for (const bool publish : {false, true}) {
    TemporaryPath folder(files, dir / "folder");
    files.make_dirs(folder.path() + "/inner");
    write(folder.path() + "/inner/file", "x");
    if (publish) folder.publish();
  }
  EXPECT_EQ(read(dir / "folder/inner/file"), "x");
  EXPECT_EQ(this->files(), 1u);
}

TEST_F(AtomicFileTest, WhatIsNoFileIsNotRead) {
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0666), 0);
  for (const std::string& path : {dir / "fifo", std::string("/dev/null")})
    EXPECT_THAT([&] { FileSystem::posix().open(path); },
                testing::ThrowsMessage<DataError>(testing::HasSubstr("got a pipe, socket or device")));
}

TEST_F(AtomicFileTest, NothingIsCreatedOverWhatIsThere) {
  write(dir / "file", "x");
  fs::create_symlink("nowhere", dir / "link");
  for (const char* name : {"file", "link"}) EXPECT_THROW(FileSystem::posix().create(dir / name), DataError);
  EXPECT_EQ(read(dir / "file"), "x");
}

TEST_F(AtomicFileTest, EveryTemporaryHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(TemporaryPath(FileSystem::posix(), dir / "file").path());
  EXPECT_EQ(names.size(), 100u);
}

}  // namespace
}  // namespace belfry
