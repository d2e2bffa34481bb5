#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <filesystem>

#include "tests/cli/fixture.h"

namespace belfry {
namespace {

using testing::HasSubstr;

class Convert : public test::CliTest {
 protected:
  Convert() {
    save("model-7", {{"conv0/W", at::arange(6).reshape({2, 3}).to(kFloat32)},
                     {"conv0/W/Momentum", at::ones({2, 3})},
                     {"bn/mean/EMA", at::ones({3})},
                     {"EMA/cost", at::ones({})},
                     {"learning_rate", at::ones({})},
                     {"global_step", at::full({}, 7, kInt64)}});
  }
};

TEST_F(Convert, GoesAroundAllFormatsWithoutLoss) {
  std::string from = "model-7";
  for (const char* to : {"a.npz", "a.safetensors", "back"}) {
    const auto result = belfry({"convert", from, to});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, std::string(to) + ": 6 tensors, 76B\n");
    from = to;
  }
  EXPECT_EQ(belfry({"diff", "model-7", "back"}).code, 0);
  EXPECT_EQ(read("back.index"), read("model-7.index"));
}

TEST_F(Convert, DropsWhatOnlyTrainingNeeds) {
  EXPECT_EQ(belfry({"convert", "model-7", "a.npz", "--drop-slots"}).code, 0);
  const auto kept = load("a.npz");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_TRUE(kept.contains("bn/mean/EMA") && kept.contains("conv0/W"));
}

TEST_F(Convert, WidensBFloat16ForNumpy) {
  save("half", {{"W", at::full({2}, 1.5, kBFloat16)}});
  EXPECT_EQ(belfry({"convert", "half", "a.npz"}).code, 0);
  EXPECT_TRUE(at::equal(load("a.npz").at("W"), at::full({2}, 1.5, kFloat32)));
}

TEST_F(Convert, ATypeThatTheFormatHasNotIsAUsageErrorAndWritesNothing) {
  save("complex", {{"W", at::ones({2}, kComplex128)}});
  const auto result = belfry({"convert", "complex", "a.safetensors"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, test::one_line("belfry convert", "complex128"));
  EXPECT_FALSE(std::filesystem::exists(dir / "a.safetensors"));
}

TEST_F(Convert, RefusesAFolderOrAnIndexAsOutput) {
  for (const char* out : {".", "new/", "", "b.index"}) {
    const auto result = belfry({"convert", "model-7", out});
    EXPECT_EQ(result.code, 2) << out;
    EXPECT_THAT(result.err, test::one_line("belfry convert", "expected")) << out;
  }
}

TEST_F(Convert, AFolderThatIsNotThereIsADataError) {
  const auto result = belfry({"convert", "model-7", "no/such/a.npz"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, test::one_line("belfry convert", "no/such/a.npz"));
}

TEST_F(Convert, MayWriteOverItsInput) {
  EXPECT_EQ(belfry({"convert", "model-7", "model-7", "--only", "global_step"}).code, 0);
  EXPECT_EQ(load("model-7").size(), 1u);
}

TEST_F(Convert, JsonSaysWhatWasWritten) {
  const auto json = belfry_json({"convert", "model-7", "a.npz", "--only", "conv0/*"});
  using nlohmann::json_literals::operator""_json;
  EXPECT_EQ(json, R"({"path": "a.npz", "tensors": 2, "bytes": 48, "left_out": []})"_json);
}

}  // namespace
}  // namespace belfry
