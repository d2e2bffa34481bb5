#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "tests/cli/fixture.h"

namespace belfry {
namespace {

using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Diff : public test::CliTest {
 protected:
  /// The report on two checkpoints that have one tensor "x" each.
  nlohmann::json of(const at::Tensor& a, const at::Tensor& b, std::vector<std::string> options = {}) {
    save("a", {{"x", a}});
    save("b", {{"x", b}});
    options.insert(options.begin(), {"diff", "a", "b"});
    return belfry_json(options);
  }
};

TEST_F(Diff, SameValuesInTwoFormatsAreTheSame) {
  save("model-7", {{"W", at::ones({3})}, {"step", at::full({}, 7, kInt64)}});
  save("model.npz", load("model-7"));
  const auto result = belfry({"diff", "model-7", "model.npz"});
  EXPECT_EQ(result.out, "total: 2 same, 0 only in a, 0 only in b, 0 of another type, 0 of other values\n");
  EXPECT_EQ(result.code, 0);
}

TEST_F(Diff, PrintsALineForEachTensorThatDiffers) {
  save("a", {{"gone", at::ones({2})}, {"W", at::ones({3})}, {"b", at::ones({4})}, {"same", at::ones({})}});
  save("b", {{"new", at::ones({}, kInt32)},
             {"W", at::tensor({1.0f, 1.5f, 0.0f})},
             {"b", at::ones({2, 2}, kFloat64)},
             {"same", at::ones({})}});
  const auto result = belfry({"diff", "a", "b"});
  EXPECT_EQ(result.out,
            "only-in-a gone float32 [2]\n"
            "only-in-b new int32 []\n"
            "type-differs b float32 [4] and float64 [2,2]\n"
            "value-differs W float32 [3] 2 of 3 elements, max abs 1, max rel 1\n"
            "total: 1 same, 1 only in a, 1 only in b, 1 of another type, 1 of other values\n");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "");
}

TEST_F(Diff, TolerancesAreOfTheLargerNumber) {
  const at::Tensor a = at::tensor({100.0, 0.0}), b = at::tensor({101.0, 1e-6});
  EXPECT_EQ(of(a, b)["value_differs"][0]["differing"], 2);
  EXPECT_EQ(of(a, b, {"--rtol", "0.01"})["value_differs"][0]["differing"], 1);
  EXPECT_EQ(of(a, b, {"--rtol", "0.01", "--atol", "1e-5"})["differs"], false);
  EXPECT_EQ(of(b, a, {"--rtol", "0.01", "--atol", "1e-5"})["differs"], false);
}

TEST_F(Diff, ComparesEveryTypeThatCanBeRead) {
  for (DType dtype :
       {kFloat64, kFloat32, kFloat16, kBFloat16, kInt8, kInt16, kInt32, kInt64, kUInt8, DType::UInt16,
        DType::UInt32, DType::UInt64, DType::Float8_e5m2, DType::Float8_e4m3fn, kComplex64, kBool}) {
    const auto json = of(at::tensor({1.0, 0.0, 1.0}).to(dtype), at::tensor({1.0, 1.0, 0.0}).to(dtype));
    EXPECT_EQ(json["value_differs"][0]["differing"], 2) << to_string(dtype);
    EXPECT_EQ(json["value_differs"][0]["max_abs"], 1) << to_string(dtype);
  }
}

TEST_F(Diff, NaNEqualsNaNAndInfinityItself) {
  const at::Tensor a = at::tensor({kNaN, kInfinity, -0.0, 1.0});
  const at::Tensor b = at::tensor({-kNaN, kInfinity, 0.0, 1.0});
  EXPECT_EQ(of(a, b)["differs"], false);
  EXPECT_EQ(of(a, b.flip(0))["value_differs"][0]["differing"], 4);
}

TEST_F(Diff, NoToleranceReachesFromANumberToNaNOrInfinity) {
  const at::Tensor a = at::tensor({1.0, 1.0, -kInfinity}), b = at::tensor({kNaN, kInfinity, kInfinity});
  const auto json = of(a, b, {"--rtol", "10", "--atol", "1e30"});
  EXPECT_EQ(json["value_differs"][0]["differing"], 3);
  EXPECT_EQ(json["value_differs"][0]["max_abs"], nullptr);
}

TEST_F(Diff, IntegersThatOneFloatStandsForDiffer) {
  const int64_t large = int64_t{1} << 53;
  const auto json = of(at::full({}, large, kInt64), at::full({}, large + 1, kInt64));
  EXPECT_EQ(json["value_differs"][0]["differing"], 1);
}

TEST_F(Diff, ComparesEveryType) {
  for (DType dtype :
       {kFloat64, kFloat32, kFloat16, kBFloat16, kInt8, kInt16, kInt32, kInt64, kUInt8, kBool, DType::UInt16,
        DType::UInt32, DType::UInt64, DType::Float8_e5m2, DType::Float8_e4m3fn, kComplex64, kComplex128}) {
    const auto json = of(at::tensor({0.0, 1.0}).to(dtype), at::tensor({1.0, 1.0}).to(dtype));
    EXPECT_EQ(json["value_differs"][0]["differing"], 1) << dtype;
    EXPECT_EQ(json["value_differs"][0]["max_abs"], 1.0) << dtype;
  }
}

TEST_F(Diff, EmptyTensorsAreTheSame) {
  EXPECT_EQ(of(at::zeros({0, 3}), at::zeros({0, 3}))["same"], 1);
}

TEST_F(Diff, SlotsCanBeLeftOut) {
  save("a", {{"W", at::ones({3})}, {"W/Adam", at::ones({3})}, {"global_step", at::ones({})}});
  save("b", {{"W", at::ones({3})}, {"global_step", at::zeros({})}});
  EXPECT_EQ(belfry({"diff", "a", "b"}).code, 1);
  EXPECT_EQ(belfry({"diff", "a", "b", "--drop-slots"}).code, 0);
}

TEST_F(Diff, APatternThatNeitherHasIsNotFound) {
  save("a", {{"W", at::ones({3})}});
  EXPECT_THAT(belfry({"diff", "a", "a", "--only", "V"}).err, test::one_line("belfry diff", "no tensor"));
  EXPECT_EQ(belfry({"diff", "a", "a", "--only", "W"}).code, 0);
}

TEST_F(Diff, ADamagedTensorIsADataErrorThatNamesIt) {
  save("a", {{"W", at::ones({3})}});
  save("b", {{"W", at::ones({3})}});
  std::fstream(dir / "b.data-00000-of-00001", std::ios::in | std::ios::out).write("?", 1);
  const auto result = belfry({"diff", "a", "b"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, test::one_line("belfry diff", "W"));
}

}  // namespace
}  // namespace belfry
