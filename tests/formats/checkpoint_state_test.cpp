#include "belfry/formats/checkpoint_state.h"

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "tests/support/fault_file_system.h"

namespace belfry {
namespace {

using testing::ElementsAre;

TEST(CheckpointState, WritesTensorFlowsText) {
  CheckpointState state{.newest = "model-8", .all = {"model-6", "model-8"}};
  EXPECT_EQ(to_text(state),
            "model_checkpoint_path: \"model-8\"\n"
            "all_model_checkpoint_paths: \"model-6\"\n"
            "all_model_checkpoint_paths: \"model-8\"\n");
}

TEST(CheckpointState, ReadsWhatItWrites) {
  CheckpointState state{.newest = "a\"b\\c\n\x01\x7f\xc3\xa4'",
                        .all = {"x", ""},
                        .timestamps = {1.5, 1e9},
                        .last_preserved_timestamp = 0.1};
  CheckpointState again = parse_checkpoint_state("checkpoint", to_text(state));
  EXPECT_EQ(again.newest, state.newest);
  EXPECT_EQ(again.all, state.all);
  EXPECT_EQ(again.timestamps, state.timestamps);
  EXPECT_EQ(again.last_preserved_timestamp, state.last_preserved_timestamp);
}

TEST(CheckpointState, ReadsAllOfTheTextFormat) {
  struct {
    const char *text, *newest;
  } cases[] = {
      {"model_checkpoint_path: 'm'", "m"},
      {"model_checkpoint_path:\"m\"\r\n", "m"},
      {"# comment\nmodel_checkpoint_path : \"m\" # end", "m"},
      {"model_checkpoint_path: \"a\" 'b'\n \"c\"", "abc"},
      {"model_checkpoint_path: \"\\303\\244\\x41\\t\\?\"", "\xc3\xa4\x41\t?"},
      {"unknown: 5 other: \"x\" model_checkpoint_path: \"m\"", "m"},
      {"model_checkpoint_path: \"m\"; all_model_checkpoint_paths: [\"a\", \"b\"]", "m"},
      {"model_checkpoint_path: \"m\" all_model_checkpoint_timestamps: []", "m"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(parse_checkpoint_state("checkpoint", c.text).newest, c.newest) << c.text;
}

TEST(CheckpointState, RefusesOtherText) {
  for (std::string text :
       {"", "\n", "model_checkpoint_path", "model_checkpoint_path: ", "model_checkpoint_path: m",
        "model_checkpoint_path: \"m", "model_checkpoint_path: \"m\n\"", "model_checkpoint_path: \"\\q\"",
        "model_checkpoint_path: \"\\x\"", "model_checkpoint_path: \"\\", "all_model_checkpoint_paths: \"a\"",
        "model_checkpoint_path: \"m\" all_model_checkpoint_timestamps: 1x", "model_checkpoint_path: [\"m\"",
        "\xff\xfe"}) {
    EXPECT_THROW(parse_checkpoint_state("checkpoint", text), DataError) << text;
  }
}

TEST(CheckpointState, RefusesMoreCheckpointsThanAnybodyKeeps) {
  std::string text = "model_checkpoint_path: \"m\"\n";
  for (int i = 0; i < 10000; ++i) text += "all_model_checkpoint_paths: \"m\"\n";
  EXPECT_EQ(parse_checkpoint_state("checkpoint", text).all.size(), 10000);
  EXPECT_THROW(parse_checkpoint_state("checkpoint", text + "all_model_checkpoint_paths: \"m\""), DataError);
}

TEST(CheckpointState, MessageNamesFileAndByte) {
  try {
    parse_checkpoint_state("log/checkpoint", "model_checkpoint_path: m");
    FAIL();
  } catch (const DataError& e) {
    EXPECT_STREQ(e.what(), "log/checkpoint at byte 23: expected a string");
  }
}

TEST(CheckpointState, FileIsReplacedAtomically) {
  test::FaultFileSystem files;
  write_checkpoint_state("log", {.newest = "old"}, files);
  files.calls = 0;
  write_checkpoint_state("log", {.newest = "old"}, files);
  const int calls = files.calls;
  for (int k = 0; k < calls; ++k) {
    files.fail_at = files.calls + k;
    EXPECT_THROW(write_checkpoint_state("log", {.newest = "new"}, files), DataError);
    bool replaced = k == calls - 1;  // only the folder's sync failed
    EXPECT_EQ(read_checkpoint_state("log", files).newest, replaced ? "new" : "old");
    EXPECT_THAT(files.list("log"), ElementsAre("checkpoint")) << "temporary left by failure " << k;
  }
}

}  // namespace
}  // namespace belfry
