#include "belfry/checkpoint/checkpoint_files.h"

#include <ATen/ops/ones.h>

#include <filesystem>
#include <fstream>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/formats/internal/bundle_proto.h"
#include "belfry/formats/internal/table.h"
#include "tests/checkpoint/fixture.h"

namespace belfry {
namespace {

using namespace internal;

using testing::ElementsAre;
using testing::HasSubstr;

class CheckpointFiles : public test::CheckpointTest {
 protected:
  void save(const std::string& name) { save_checkpoint(dir / name, {{"W", at::ones({100})}}); }
  void list(const std::string& text) { std::ofstream(dir / "checkpoint") << text; }
  void truncate(const std::string& name) {
    std::filesystem::resize_file(dir / (name + ".data-00000-of-00001"), 10);
  }
  std::string latest() {
    const std::string path = latest_checkpoint(dir.path()).value_or("none");
    return std::filesystem::path(path).filename().string();
  }
};

TEST_F(CheckpointFiles, TheLatestIsTheOneThatTheListNames) {
  save("model-8"), save("model-10"), save("model-12");
  list("model_checkpoint_path: \"model-10\"\nall_model_checkpoint_paths: \"model-8\"\n");
  EXPECT_EQ(latest(), "model-10");
  EXPECT_THAT(warnings, ElementsAre());
}

TEST_F(CheckpointFiles, FallsBackToOlderListedOnesThenToFilesByStep) {
  save("model-9"), save("model-10"), save("model-12");
  list(
      "model_checkpoint_path: \"model-12\"\nall_model_checkpoint_paths: \"model-9\"\n"
      "all_model_checkpoint_paths: \"model-12\"\n");
  truncate("model-12");
  EXPECT_EQ(latest(), "model-9");
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("model-12"), HasSubstr("model-9")));
  truncate("model-9");
  EXPECT_EQ(latest(), "model-10");
  truncate("model-10");
  EXPECT_EQ(latest(), "none");
}

TEST_F(CheckpointFiles, AListThatIsOfNoUseGivesAWarningAndTheHighestStep) {
  save("model-9"), save("model-10");
  for (const char* text :
       {"", "\xff\xfe garbage", "model_checkpoint_path: 7", "model_checkpoint_path: \"\""}) {
    list(text);
    warnings.clear();
    EXPECT_EQ(latest(), "model-10") << text;
    EXPECT_EQ(warnings.size(), 1u) << text;
  }
}

TEST_F(CheckpointFiles, UnderstandsPathsOfAnotherMachineAndWindowsLineEnds) {
  save("model-9"), save("model-10");
  list("model_checkpoint_path: \"/elsewhere/train_log/model-9\"\r\n");
  EXPECT_EQ(latest(), "model-9");
  list("model_checkpoint_path: \"model\\0559\"\n");  // octal for '-'
  EXPECT_EQ(latest(), "model-9");
}

TEST_F(CheckpointFiles, FindsCheckpointsOfOneNameByStep) {
  save("model-9"), save("model-10"), save("model-x"), save("model"), save("other-11"), save("min-val-error");
  const auto found = checkpoints_in(dir.path());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path, dir / "model-9");
  EXPECT_EQ(found[1].step, 10);
}

TEST_F(CheckpointFiles, AFolderThatIsNotThereHasNone) {
  EXPECT_TRUE(checkpoints_in(dir / "missing").empty());
  EXPECT_EQ(latest_checkpoint(dir / "missing"), std::nullopt);
}

TEST_F(CheckpointFiles, APathThatTheSystemRefusesIsADataError) {
  const std::string too_long(300, 'x');
  EXPECT_THROW_WITH(resolve_checkpoint(dir / too_long), DataError, "expected a checkpoint");
  EXPECT_THROW_WITH(resolve_checkpoint(dir / too_long + "/checkpoint"), DataError, "expected a folder");
}

TEST_F(CheckpointFiles, ATensorThatCannotBeCopiedIsNamed) {
  const std::string record =
      serialize(BundleRecord{.dtype = DataType::kVariant, .shape = {}, .size = 4, .slices = {}});
  std::ofstream(dir / "model-1.index") << build_table({{"", serialize(BundleHeader{})}, {"odd", record}});
  std::ofstream(dir / "model-1.data-00000-of-00001") << "1234";
  EXPECT_THROW_WITH(copy_checkpoint(dir / "model-1", dir / "copy"), DataError,
                    "[tensor odd] elements of type");
}

TEST_F(CheckpointFiles, CopiesAreCompleteAndReplaceOlderOnes) {
  save("model-9");
  copy_checkpoint(dir / "model-9", dir / "min-val-error");
  copy_checkpoint(dir / "model-9", dir / "min-val-error");
  remove_checkpoint(dir / "model-9");
  EXPECT_TRUE(at::equal(load_checkpoint(dir / "min-val-error").at("W"), at::ones({100})));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 2);
}

TEST_F(CheckpointFiles, RemovingLeavesOthersOfASimilarName) {
  save("model-1"), save("model-10");
  remove_checkpoint(dir / "model-1");
  EXPECT_FALSE(is_complete_checkpoint(dir / "model-1"));
  EXPECT_TRUE(is_complete_checkpoint(dir / "model-10"));
}

}  // namespace
}  // namespace belfry
