#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "tests/cli/fixture.h"

namespace belfry {
namespace {

class Average : public test::CliTest {};

TEST_F(Average, AveragesFloatsAndTakesIntegersOfTheLast) {
  save("a", {{"W", at::tensor({1.0f, 4.0f})}, {"step", at::full({}, 9, kInt64)}});
  save("b.npz", {{"W", at::tensor({2.0f, 0.0f})}, {"step", at::full({}, 3, kInt64)}});
  const auto result = belfry({"average", "a", "b.npz", "-o", "out.safetensors"});
  EXPECT_EQ(result.out, "out.safetensors: 2 tensors, 16B\n") << result.err;
  EXPECT_TRUE(at::equal(load("out.safetensors").at("W"), at::tensor({1.5f, 2.0f})));
  EXPECT_EQ(load("out.safetensors").at("step").item<int64_t>(), 3);
}

TEST_F(Average, RoundsOnceAfterAddingInFloat64) {
  // In bfloat16, or in float32, adding 1 to the large one would change nothing.
  save("a", {{"half", at::full({}, 256, kBFloat16)}, {"single", at::full({}, 16777216.0f)}});
  save("b", {{"half", at::full({}, 1, kBFloat16)}, {"single", at::full({}, 1.0f)}});
  save("c", {{"half", at::full({}, 1, kBFloat16)}, {"single", at::full({}, 1.0f)}});
  belfry({"average", "a", "b", "c", "-o", "out"});
  EXPECT_EQ(load("out").at("half").item<double>(), 86);
  EXPECT_EQ(load("out").at("single").item<double>(), 5592406);
}

TEST_F(Average, AveragesComplexNumbers) {
  save("a", {{"z", at::full({1}, c10::complex<double>(1, 2), kComplex64)}});
  save("b", {{"z", at::full({1}, c10::complex<double>(3, -2), kComplex64)}});
  EXPECT_EQ(belfry({"average", "a", "b", "-o", "out"}).code, 0);
  EXPECT_TRUE(at::equal(load("out").at("z"), at::full({1}, c10::complex<double>(2, 0), kComplex64)));
}

TEST_F(Average, CheckpointsOfOtherTensorsAreADataErrorThatNamesThem) {
  save("a", {{"W", at::ones({2})}, {"W/Adam", at::ones({2})}});
  save("b", {{"W", at::ones({2})}});
  save("c", {{"W", at::ones({3})}, {"W/Adam", at::ones({2})}});
  for (auto [x, y] : {std::pair("a", "b"), {"b", "a"}, {"a", "c"}}) {
    const auto result = belfry({"average", x, y, "-o", "out"});
    EXPECT_EQ(result.code, 3);
    EXPECT_THAT(result.err, test::one_line("belfry average", "'W"));
    EXPECT_EQ(belfry({"ls", "out"}).code, 3);
  }
  EXPECT_EQ(belfry({"average", "a", "b", "-o", "out", "--drop-slots"}).code, 0);
}

TEST_F(Average, OneCheckpointIsAUsageError) {
  save("a", {{"W", at::ones({2})}});
  const auto result = belfry({"average", "a", "-o", "out"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, test::one_line("belfry average", "two or more"));
}

}  // namespace
}  // namespace belfry
