#include <ATen/ops/ones.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/fixture.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Program : public test::CliTest {
 protected:
  /// What bash offers for the last of `words`, as "one|two".
  std::string completions(const std::string& words) {
    return shell("source <(" + command({"completion", "bash"}) + "); COMP_WORDS=(" + words +
                 "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _belfry; IFS='|'; echo -n \"${COMPREPLY[*]}\"")
        .out;
  }
};

TEST_F(Program, EveryCommandHasHelpWithExamples) {
  EXPECT_THAT(belfry({"--help"}).out, HasSubstr("Exit codes:"));
  for (const char* name :
       {"ls", "diff", "convert", "average", "predict", "describe", "bench", "export", "completion", "env"}) {
    const auto result = belfry({name, "--help"});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, HasSubstr(std::string("\n  belfry ") + name + " ")) << "no example";
    EXPECT_THAT(belfry({"--help"}).out, HasSubstr(std::string("\n  ") + name + " "));
  }
}

TEST_F(Program, SaysItsVersion) {
  EXPECT_THAT(belfry({"--version"}).out, StartsWith("belfry 0."));
}

TEST_F(Program, EnvSaysWhatReportsNeed) {
  const auto plain = belfry({"env"});
  EXPECT_EQ(plain.code, 0);
  for (const char* name : {"belfry ", "\nLibTorch ", "\nprocessor ", "\ncores ", "\nCUDA "})
    EXPECT_THAT(plain.out, HasSubstr(name));
  const auto json = nlohmann::json::parse(belfry({"env", "--json"}).out);
  EXPECT_THAT(json.at("LibTorch").get<std::string>(), StartsWith("2."));
  EXPECT_THAT(json.at("kernel").get<std::string>(), StartsWith("Linux "));
}

TEST_F(Program, AWrongCommandLineIsOneLineAndCode2) {
  EXPECT_THAT(belfry({}).err, test::one_line("belfry", "belfry --help"));
  EXPECT_THAT(belfry({"lss"}).err, test::one_line("belfry", "lss"));
  EXPECT_THAT(belfry({"ls"}).err, test::one_line("belfry ls", "CKPT"));
  EXPECT_THAT(belfry({"ls", "a", "--stat"}).err, test::one_line("belfry ls", "--stat"));
  EXPECT_THAT(belfry({"diff", "a", "b", "--rtol", "-1"}).err,
              test::one_line("belfry diff", "0 or more, got -1"));
  EXPECT_THAT(belfry({"completion", "fish"}).err, test::one_line("belfry completion", "bash"));
  EXPECT_EQ(belfry({"ls"}).code, 2);
}

TEST_F(Program, OutputThatCannotBeWrittenIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  save("a.npz", {{"W", at::ones({2})}});
  const std::vector<std::vector<std::string>> lines = {{"ls", "a.npz"},
                                                       {"ls", "a.npz", "--json"},
                                                       {"diff", "a.npz", "a.npz"},
                                                       {"completion", "bash"},
                                                       {"convert", "a.npz", "b.npz"},
                                                       {"ls", "--help"},
                                                       {"--help"},
                                                       {"--version"}};
  for (const auto& words : lines) {
    for (const char* where : {" >/dev/full", " >&-"}) {
      const auto result = shell(command(words) + where);
      EXPECT_EQ(result.code, 3) << words[0] << where;
      const bool has_command = !words[0].starts_with("--");
      EXPECT_THAT(result.err, test::one_line(has_command ? "belfry " + words[0] : "belfry", "output"));
    }
  }
}

TEST_F(Program, WarningsSayTheyAre) {
  save("model-7", {{"W", at::ones({2})}});
  std::ofstream(dir / "checkpoint") << "model_checkpoint_path: \"model-8\"\n";
  const auto result = belfry({"ls", "."});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, StartsWith("belfry ls: warning: [latest_checkpoint] passing over ./model-8"));
}

TEST_F(Program, BashCompletesCommandsOptionsAndCheckpoints) {
  save("model-7", {{"W", at::ones({2})}});
  save("model.npz", {{"W", at::ones({2})}});
  std::ofstream(dir / "notes.txt") << "";
  std::filesystem::create_directory(dir / "more models");
  EXPECT_EQ(completions("belfry co"), "convert|completion");
  EXPECT_EQ(completions("belfry ls --s"), "--stats");
  EXPECT_EQ(completions("belfry describe --s"), "--shape|--svg");
  EXPECT_EQ(completions("belfry predict --j"), "--json");
  EXPECT_EQ(completions("belfry export m.safetensors --"), "--help|--force|--json");
  EXPECT_EQ(completions("belfry completion ''"), "--help|bash");
  EXPECT_EQ(completions("belfry diff --json ''"), "more models|model-7|model.npz");
}

}  // namespace
}  // namespace belfry
