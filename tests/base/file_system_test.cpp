#include "belfry/base/file_system.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

TEST(FileSystem, MakesFoldersWithAllAboveThem) {
  test::TempDir dir;
  FileSystem& files = FileSystem::posix();
  for (const std::string& folder : {dir / "a/b/c", dir / "a/b/c", dir / "d/", dir.path()}) {
    files.make_dirs(folder);
    EXPECT_TRUE(std::filesystem::is_directory(folder)) << folder;
  }
}

TEST(FileSystem, MakesNoFolderBelowAFile) {
  test::TempDir dir;
  FileSystem::posix().create(dir / "file");
  for (const std::string& folder : {dir / "file", dir / "file/a", dir / "file/a/b"}) {
    EXPECT_THROW(FileSystem::posix().make_dirs(folder), DataError) << folder;
  }
}

}  // namespace
}  // namespace belfry
