#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "tests/cli/fixture.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::Not;

class Ls : public test::CliTest {
 protected:
  Ls() {
    save("model-7", {{"conv0/W", at::arange(54).reshape({3, 3, 1, 6}).to(kFloat32)},
                     {"conv0/W/Adam", at::zeros({3, 3, 1, 6})},
                     {"global_step", at::full({}, 7, kInt64)}});
  }
};

TEST_F(Ls, PrintsALineForEachTensorAndTheTotals) {
  const auto result = belfry({"ls", "model-7"});
  EXPECT_EQ(result.out,
            "NAME          DTYPE    SHAPE      SIZE\n"
            "conv0/W       float32  [3,3,1,6]  216B\n"
            "conv0/W/Adam  float32  [3,3,1,6]  216B\n"
            "global_step   int64    []           8B\n"
            "total: 3 tensors, 109 elements, 440B\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.code, 0);
}

TEST_F(Ls, TakesEveryFormatAndTheFolder) {
  save("a.npz", load("model-7"));
  save("a.safetensors", load("model-7"));
  std::ofstream(dir / "checkpoint") << "model_checkpoint_path: \"model-7\"\n";
  const std::string expected = belfry({"ls", "model-7"}).out;
  for (const char* path : {"model-7.index", "a.npz", "a.safetensors", ".", "checkpoint"}) {
    EXPECT_EQ(belfry({"ls", path}).out, expected) << path;
  }
}

TEST_F(Ls, StatisticsLeaveOutAndCountWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  save("a.npz", {{"mixed", at::tensor({1.0, nan, 3.0, -inf, inf, 8.0})},
                 {"none", at::tensor({nan})},
                 {"complex", at::full({2}, 1, kComplex64)},
                 {"flags", at::tensor({1, 0}).to(kBool)}});
  const auto json = belfry_json({"ls", "a.npz", "--stats"});
  using nlohmann::json_literals::operator""_json;
  EXPECT_EQ(json["tensors"][0]["stats"],
            R"({"min": null, "max": null, "mean": null, "std": null, "nan": 0, "inf": 0})"_json);
  EXPECT_EQ(json["tensors"][1]["stats"]["mean"], 0.5);
  const auto& mixed = json["tensors"][2]["stats"];
  EXPECT_NEAR(mixed["std"].get<double>(), 2.943920288775949, 1e-15);  // numpy's std of 1, 3, 8
  EXPECT_EQ(mixed["min"], 1);
  EXPECT_EQ(mixed["nan"], 1);
  EXPECT_EQ(mixed["inf"], 2);
  EXPECT_THAT(belfry({"ls", "a.npz", "--stats"}).out,
              testing::ContainsRegex("none +float64 +\\[1\\] +8B +- +- +- +- +1 +0\n"));
}

TEST_F(Ls, StatisticsOfAllTypes) {
  std::map<std::string, at::Tensor> tensors;
  for (DType dtype : {kFloat64, kFloat16, kBFloat16, kInt8, kInt16, kInt32, kInt64, kUInt8, DType::UInt16,
                      DType::UInt32, DType::UInt64, DType::Float8_e5m2, DType::Float8_e4m3fn}) {
    tensors[to_string(dtype)] = at::tensor({1.0, 4.0}).to(dtype);
  }
  save("all", tensors);
  for (const auto& tensor : belfry_json({"ls", "all", "--stats"})["tensors"]) {
    EXPECT_EQ(tensor["stats"]["mean"], 2.5) << tensor;
    EXPECT_EQ(tensor["stats"]["std"], 1.5) << tensor;
  }
}

// A safetensors file with a tensor of a type that Belfry has not beside one that it has.
TEST_F(Ls, ListsTypesThatCannotBeReadAmongTheOthers) {
  const std::string header = R"({"f4":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},)"
                             R"("w":{"dtype":"U16","shape":[2],"data_offsets":[2,6]}})";
  const uint64_t length = header.size();
  std::ofstream(dir / "mixed.safetensors", std::ios::binary)
      << std::string(reinterpret_cast<const char*>(&length), 8) << header << std::string("xx\1\0\2\0", 6);
  const auto result = belfry({"ls", "mixed.safetensors", "--stats"});
  EXPECT_THAT(result.out, testing::ContainsRegex("f4 +F4 +\\[4\\] +- "));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(
      belfry({"diff", "mixed.safetensors", "mixed.safetensors"}).out,
      "not-compared f4 F4 [4]\n"
      "total: 1 same, 0 only in a, 0 only in b, 0 of another type, 0 of other values, 1 not compared\n");
  EXPECT_THAT(belfry({"convert", "mixed.safetensors", "w.npz"}).err, HasSubstr("f4"));
  EXPECT_EQ(load("w.npz").at("w")[1].item<int64_t>(), 2);
}

TEST_F(Ls, SelectsByPatternAndLeavesOutSlots) {
  EXPECT_THAT(belfry({"ls", "model-7", "--only", "glob*"}).out, HasSubstr("total: 1 tensors"));
  EXPECT_THAT(belfry({"ls", "--only", "glob*", "--only", "conv?/W", "model-7"}).out,
              HasSubstr("total: 2 tensors"));
  EXPECT_THAT(belfry({"ls", "model-7", "--drop-slots"}).out, Not(HasSubstr("Adam")));
}

TEST_F(Ls, APatternThatNothingMatchesIsNotFound) {
  const auto result = belfry({"ls", "model-7", "--only", "conv0"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, test::one_line("belfry ls", "no tensor matches conv0"));
  EXPECT_EQ(result.out, "");
}

TEST_F(Ls, JsonHasTheNumbersAsTheyAre) {
  const auto json = belfry_json({"ls", "model-7"});
  using nlohmann::json_literals::operator""_json;
  EXPECT_EQ(json["path"], "model-7");
  EXPECT_EQ(json["tensors"][0],
            R"({"name": "conv0/W", "dtype": "float32", "shape": [3, 3, 1, 6], "bytes": 216})"_json);
  EXPECT_EQ(json["total"], R"({"tensors": 3, "elements": 109, "bytes": 440})"_json);
}

TEST_F(Ls, WritesSizesInUnitsOf1024) {
  save("sizes.npz", {{"a", at::zeros({1023}, kInt8)},
                     {"b", at::zeros({1024}, kInt8)},
                     {"c", at::zeros({(1 << 20) - 1}, kInt8)}});
  const std::string out = belfry({"ls", "sizes.npz"}).out;
  for (const char* size : {" 1023B\n", " 1.0KiB\n", " 1.0MiB\n"}) EXPECT_THAT(out, HasSubstr(size));
}

TEST_F(Ls, AMissingOrDamagedFileIsADataError) {
  const auto missing = belfry({"ls", "model-8"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, test::one_line("belfry ls", "model-8.index"));
  std::ofstream(dir / "bad.npz") << "no zip";
  EXPECT_THAT(belfry({"ls", "bad.npz"}).err, test::one_line("belfry ls", "bad.npz"));
  EXPECT_EQ(belfry({"ls", "bad.npz"}).code, 3);
}

}  // namespace
}  // namespace belfry
