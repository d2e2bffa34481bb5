// Names that would make a terminal do something, in every format that the program lists.

#include <ATen/ops/ones.h>

#include <algorithm>
#include <filesystem>

#include "tests/cli/fixture.h"

namespace belfry {
namespace {

using testing::HasSubstr;

constexpr const char* kName = "a\x1b]0;title\a\x1b[2J\nb\r\u009b1A\u202e";
constexpr const char* kShown = "a\\x1b]0;title\\x07\\x1b[2J\\nb\\r\\u009b1A\\u202e";
constexpr const char* kNoUtf8 = "b\xff\x9b";

/// Whether a terminal only shows `text`: printable ASCII and line ends, as all names here are of no more.
bool is_harmless(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

class Names : public test::CliTest {
 protected:
  Names() {
    save("w.safetensors", {{kName, at::ones({2})}});
    save("w", {{kName, at::ones({2})}, {kNoUtf8, at::ones({2})}});
    save("other", {{kName, at::ones({3})}});
    // The library that reads archives has names of characters only: others than these it replaces.
    save("w.npz", {{"a\u009b2J\u202e", at::ones({2})}});
  }
};

TEST_F(Names, ListingsShowEscapesInsteadOfDoingThem) {
  const std::pair<const char*, const char*> files[] = {
      {"w.safetensors", kShown}, {"w", kShown}, {"w.npz", "a\\u009b2J\\u202e"}};
  for (const auto& [file, shown] : files) {
    const auto result = belfry({"ls", file});
    EXPECT_EQ(result.code, 0) << file << result.err;
    EXPECT_THAT(result.out, HasSubstr(std::string("\n") + shown + "  float32  [2]")) << file;
    EXPECT_TRUE(is_harmless(result.out)) << file;
  }
  EXPECT_THAT(belfry({"ls", "w"}).out, HasSubstr("\nb\\xff\\x9b "));
}

TEST_F(Names, JsonIsAsciiAndValidWhateverTheNames) {
  for (const char* file : {"w.safetensors", "w.npz", "w"}) {
    const auto result = belfry({"ls", file, "--json"});
    EXPECT_TRUE(is_harmless(result.out)) << file;
    EXPECT_EQ(nlohmann::json::parse(result.out)["tensors"][0]["shape"][0], 2) << file;
  }
  const auto tensors = belfry_json({"ls", "w"})["tensors"];
  EXPECT_EQ(tensors[0]["name"], kName);
  EXPECT_EQ(tensors[1]["name"], "b\ufffd\ufffd");
}

TEST_F(Names, DifferencesErrorsAndWarningsShowThemToo) {
  const auto diff = belfry({"diff", "w", "other"});
  EXPECT_THAT(diff.out, HasSubstr(std::string("only-in-a b\\xff\\x9b float32 [2]\ntype-differs ") + kShown));
  const auto average = belfry({"average", "w", "other", "-o", "x"});
  EXPECT_THAT(average.err, test::one_line("belfry average", "\\x1b[2J"));
  const auto refused = belfry({"convert", "w", "x.npz"});
  EXPECT_THAT(refused.err, test::one_line("belfry convert", "\\x1b[2J"));
  const auto missing = belfry({"ls", kName});
  EXPECT_THAT(missing.err, test::one_line("belfry ls", "\\x1b[2J"));
  const auto wrong = belfry({kName});
  EXPECT_THAT(wrong.err, test::one_line("belfry", "\\x1b[2J"));
  for (const auto& result : {diff, average, refused, missing, wrong})
    EXPECT_TRUE(is_harmless(result.out + result.err)) << result.err;
}

}  // namespace
}  // namespace belfry
