#include "belfry/base/logger_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LoggerDirTest : public testing::Test {
 protected:
  LoggerDirTest() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  ~LoggerDirTest() override {
    log_to_file("");
    set_log_sink({});
  }
  /// The folder, with a file in it.
  std::string used() {
    fs::create_directory(folder / "run");
    std::ofstream(folder / "run/old") << "x";
    return folder / "run";
  }
  size_t count() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  test::TempDir folder;
};

TEST_F(LoggerDirTest, TheLogGoesToItsFile) {
  set_logger_dir(folder / "new/run/");
  log_info("a line");
  EXPECT_EQ(get_logger_dir(), folder / "new/run");
  EXPECT_THAT(read(folder / "new/run/log.log"), HasSubstr("a line"));
}

TEST_F(LoggerDirTest, AFolderInUseIsKept) {
  fs::create_directory(folder / "run");
  std::ofstream(folder / "run/log.log") << "before";
  set_logger_dir(folder / "run", LoggerDirAction::kKeep);
  log_info("after");
  EXPECT_THAT(read(folder / "run/log.log"), HasSubstr("after"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "run"), fs::directory_iterator()), 2);
}

TEST_F(LoggerDirTest, AFolderInUseIsDeleted) {
  set_logger_dir(used(), LoggerDirAction::kDelete);
  EXPECT_FALSE(fs::exists(folder / "run/old"));
  EXPECT_TRUE(fs::exists(folder / "run/log.log"));
}

TEST_F(LoggerDirTest, AFolderInUseIsRenamed) {
  set_logger_dir(used(), LoggerDirAction::kBackup);
  EXPECT_FALSE(fs::exists(folder / "run/old"));
  EXPECT_EQ(count(), 2u);
}

TEST_F(LoggerDirTest, AnotherFolderIsTaken) {
  set_logger_dir(used(), LoggerDirAction::kNew);
  EXPECT_TRUE(fs::exists(folder / "run/old"));
  EXPECT_THAT(get_logger_dir().value(), testing::StartsWith(folder / "run"));
  EXPECT_NE(get_logger_dir(), folder / "run");
}

TEST_F(LoggerDirTest, HiddenFilesAreNoUse) {
  fs::create_directory(folder / "run");
  std::ofstream(folder / "run/.hidden") << "x";
  set_logger_dir(folder / "run", LoggerDirAction::kQuit);
  EXPECT_TRUE(fs::exists(folder / "run/log.log"));
}

TEST_F(LoggerDirTest, OtherwiseAFolderInUseIsAnError) {
  const std::string run = used();
  EXPECT_THAT(test::message_of<UsageError>([&] { set_logger_dir(run, LoggerDirAction::kQuit); }),
              HasSubstr("which is in use"));
  EXPECT_THROW(set_logger_dir(""), UsageError);
  EXPECT_THROW(logger_dir_action("x"), UsageError);
  EXPECT_EQ(logger_dir_action("b"), LoggerDirAction::kBackup);
}

/// tensorpack's texts of the same numbers.
}  // namespace
}  // namespace belfry
