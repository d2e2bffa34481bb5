#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/program/arithmetic.h"
#include "belfry/program/copy.h"
#include "belfry/program/prepared.h"
#include "belfry/program/primitive.h"
#include "belfry/program/program_assembler.h"
#include "belfry/program/scale_shift.h"

namespace belfry::internal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Values = std::vector<float>;

/// A weight that has its values already.
TensorView weight(Values values, Sizes sizes) {
  auto owner = std::make_shared<Values>(std::move(values));
  auto memory = std::make_shared<Memory>(Memory{
      .data = owner->data(), .bytes = static_cast<int64_t>(owner->size() * sizeof(float)), .owner = owner});
  return {std::move(memory), ElementType::kFloat32, std::move(sizes)};
}

class ProgramTest : public testing::Test {
 protected:
  TensorView feed(Sizes sizes) { return assembler_.make_feed(std::move(sizes), ElementType::kFloat32); }
  TensorView make(Sizes sizes) { return assembler_.make(std::move(sizes), ElementType::kFloat32); }
  TensorView calculate(Arithmetic op, const TensorView& a, const TensorView& b) {
    const TensorView y = make(a.sizes());
    assembler_.emit("calculate", make_arithmetic(op, a, b, y), {a, b}, {y});
    return y;
  }
  TensorView relu(const TensorView& x) {
    const dnnl::eltwise_forward::desc desc(dnnl::prop_kind::forward_inference, eltwise({"relu"}).algorithm,
                                           desc_of(x), 0.F, 0.F);
    auto primitive = make_primitive<dnnl::eltwise_forward>({desc, attributes({}), cpu_engine()});
    const TensorView y = make(x.sizes());
    primitive->add(DNNL_ARG_SRC, desc_of(x), x);
    primitive->add(DNNL_ARG_DST, desc_of(y), y);
    assembler_.emit("relu", std::move(primitive), {x}, {y});
    return y;
  }
  void finish(const TensorView& result, const ProgramAssembler::Options& options = {}) {
    ASSERT_TRUE(assembler_.make_result_of(result));
    program_ = assembler_.finish(options);
  }
  /// With one feed and one result.
  Values run(Values feed) {
    Values result(static_cast<size_t>(program_->results()[0].numel()));
    program_->set_feed(0, feed.data());
    program_->set_result(0, result.data());
    exact_ = program_->run();
    return result;
  }

  ProgramAssembler assembler_;
  std::unique_ptr<Program> program_;
  bool exact_ = false;
};

TEST_F(ProgramTest, EachRunReadsAndWritesTheMemoryOfItsCaller) {
  const TensorView x = feed({3});
  finish(calculate(Arithmetic::kMultiply, calculate(Arithmetic::kAdd, x, x), x));
  EXPECT_THAT(run({1, 2, 3}), ElementsAre(2, 8, 18));
  EXPECT_THAT(run({4, 5, 6}), ElementsAre(32, 50, 72));
}

TEST_F(ProgramTest, PrimitivesFollowTheMemoryToo) {
  finish(relu(feed({2, 2})));
  EXPECT_THAT(run({1, -2, 3, -4}), ElementsAre(1, 0, 3, 0));
  EXPECT_THAT(run({-1, 2, -3, 4}), ElementsAre(0, 2, 0, 4));
}

TEST_F(ProgramTest, MemoryIsSharedByWhatIsNotNeededAtOnce) {
  TensorView y = feed({16});
  for (int i = 0; i < 4; ++i) y = calculate(Arithmetic::kAdd, y, y);
  finish(y);
  EXPECT_THAT(run(Values(16, 1)), testing::Each(16));
  EXPECT_THAT(program_->describe(), HasSubstr("memory: 128 bytes for 192 bytes of values"));
}

TEST_F(ProgramTest, WithoutSharingEachValueHasItsOwnMemory) {
  TensorView y = feed({16});
  for (int i = 0; i < 4; ++i) y = calculate(Arithmetic::kAdd, y, y);
  finish(y, {.share_memory = false});
  EXPECT_THAT(run(Values(16, 1)), testing::Each(16));
  EXPECT_THAT(program_->describe(), HasSubstr("memory: 192 bytes for 192 bytes of values"));
}

TEST_F(ProgramTest, WeightsKeepTheirPlace) {
  const TensorView number = weight({10}, {});
  EXPECT_FALSE(assembler_.is_made(number));
  finish(calculate(Arithmetic::kSubtract, feed({2}), number));
  EXPECT_THAT(run({1, 2}), ElementsAre(-9, -8));
  *number.data_as<float>() = 1;
  EXPECT_THAT(run({1, 2}), ElementsAre(0, 1));
}

TEST_F(ProgramTest, OnlyAWholeTensorOfItsOwnCanBeAResult) {
  const TensorView x = feed({2, 2}), y = calculate(Arithmetic::kAdd, x, x);
  EXPECT_FALSE(assembler_.make_result_of(x));
  EXPECT_FALSE(assembler_.make_result_of(y.narrow(0, 1, 1)));
  EXPECT_FALSE(assembler_.make_result_of(y.transpose(0, 1)));
  EXPECT_FALSE(assembler_.make_result_of(weight({1}, {1})));
  EXPECT_TRUE(assembler_.make_result_of(y));
  EXPECT_FALSE(assembler_.make_result_of(y));
}

TEST_F(ProgramTest, ANaNThatAMaximumLosesIsNoticed) {
  const TensorView x = feed({8});
  finish(relu(calculate(Arithmetic::kSubtract, x, x)), {.watch_numbers = true});
  run(Values(8, 1));
  EXPECT_TRUE(exact_);
  run(Values(8, INFINITY));  // infinity less infinity
  EXPECT_FALSE(exact_);
}

TEST_F(ProgramTest, APadLiesAroundItsTensor) {
  const TensorView x = feed({1, 2}), y = make({3, 3});
  assembler_.emit("pad", std::make_unique<Pad>(x, y.narrow(0, 1, 1).narrow(1, 0, 2), y, weight({9}, {})), {x},
                  {y});
  finish(y);
  EXPECT_THAT(run({1, 2}), ElementsAre(9, 9, 9, 1, 2, 9, 9, 9, 9));
}

TEST_F(ProgramTest, ScalesAndShiftsAreByChannel) {
  const TensorView x = feed({2, 17}), y = make({2, 17});
  Values scale(17), shift(17), values(34, 2), wanted;
  for (size_t c = 0; c < 17; ++c) scale[c] = static_cast<float>(c), shift[c] = -3;
  for (size_t i = 0; i < 34; ++i)
    wanted.push_back(std::clamp(2.F * static_cast<float>(i % 17) - 3, 0.F, 20.F));
  const TensorView a = weight(scale, {17}), b = weight(shift, {17});
  assembler_.emit("bn", make_scale_shift({.x = x, .scale = a, .shift = b, .y = y, .low = 0, .high = 20}),
                  {x, a, b}, {y});
  finish(y);
  EXPECT_EQ(run(values), wanted);
}

/// Fails as it is told.
struct Failing : Instruction {
  explicit Failing(void (*fail)()) : fail(fail) {}
  void run() override { fail(); }
  std::string describe() const override { return "failing"; }
  void (*fail)();
};

TEST_F(ProgramTest, ErrorsNameTheStep) {
  assembler_.emit("conv0", std::make_unique<Failing>([] { throw std::bad_alloc(); }), {}, {});
  program_ = assembler_.finish({});
  EXPECT_THAT([&] { program_->run(); },
              testing::ThrowsMessage<OutOfMemoryError>("[conv0] expected memory, got none from the system"));
}

TEST_F(ProgramTest, ErrorsOfOneDnnNameItsStatusAndTheInstruction) {
  assembler_.emit("conv0", std::make_unique<Failing>([] { throw dnnl::error(dnnl_runtime_error, "no"); }), {},
                  {});
  program_ = assembler_.finish({});
  EXPECT_THAT([&] { program_->run(); },
              testing::ThrowsMessage<InternalError>("[conv0] no of failing (oneDNN's status 5)"));
}

TEST_F(ProgramTest, AProfileHasAllSteps) {
  const TensorView x = feed({2});
  finish(relu(calculate(Arithmetic::kAdd, x, x)));
  Values given = {1, 2}, result(2);
  program_->set_feed(0, given.data());
  program_->set_result(0, result.data());
  std::vector<double> seconds;
  EXPECT_TRUE(program_->profile(seconds));
  EXPECT_EQ(seconds.size(), 2U);
  EXPECT_THAT(result, ElementsAre(2, 4));
  EXPECT_EQ(program_->steps()[1].name, "relu");
  EXPECT_THAT(program_->describe(), HasSubstr("relu                                     onednn "));
}

TEST_F(ProgramTest, TheStepThatMakesTheFirstNaNIsFound) {
  const TensorView x = feed({3});
  const TensorView product = calculate(Arithmetic::kMultiply, x, x);
  const TensorView zeros = calculate(Arithmetic::kSubtract, product, product);
  finish(calculate(Arithmetic::kAdd, relu(zeros), x));
  Values ordinary = {1, 2, 3}, large = {1, 1e30F, 3}, result(3);
  program_->set_result(0, result.data());
  program_->set_feed(0, ordinary.data());
  EXPECT_FALSE(program_->find_origin_of_not_finite());
  program_->set_feed(0, large.data());
  const auto origin = program_->find_origin_of_not_finite();
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->step, 1u) << "not the infinity before, nor relu, which hides it";
  EXPECT_EQ(origin->what, NotFinite::kNaN);
}

TEST_F(ProgramTest, WithoutANaNItIsTheFirstInfinity) {
  const TensorView x = feed({1});
  finish(calculate(Arithmetic::kAdd, calculate(Arithmetic::kMultiply, x, x), x));
  Values large = {1e30F}, result(1);
  program_->set_feed(0, large.data());
  program_->set_result(0, result.data());
  const auto origin = program_->find_origin_of_not_finite();
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->step, 0u);
  EXPECT_EQ(origin->what, NotFinite::kInfinity);
}

TEST_F(ProgramTest, WhereThereIsNoMemoryTheErrorSaysForWhat) {
  const TensorView x = feed({int64_t{1} << 50});
  const TensorView y = make({int64_t{1} << 50}), z = make({16});
  assembler_.emit("conv0/output", make_arithmetic(Arithmetic::kAdd, x, x, y), {x, x}, {y});
  assembler_.emit("small", make_arithmetic(Arithmetic::kAdd, z, z, z), {y}, {z});
  try {
    assembler_.finish({});
    FAIL();
  } catch (const OutOfMemoryError& e) {
    EXPECT_THAT(e.what(),
                HasSubstr("expected 4503599627370560 bytes of memory, got none; the largest values "
                          "are those of 'conv0/output' (4503599627370496 bytes), 'small' (64 bytes)"));
  }
}

TEST(NotFiniteTest, StridesAreFollowed) {
  const TensorView matrix = weight({1, NAN, 2, 3, INFINITY, 4}, {3, 2});
  EXPECT_EQ(find_not_finite(matrix), NotFinite::kNaN);
  EXPECT_EQ(find_not_finite(matrix.narrow(1, 0, 1)), NotFinite::kInfinity);
  EXPECT_EQ(find_not_finite(matrix.narrow(0, 1, 1)), NotFinite::kNone);
}

TEST(PreparedTest, PackedWeightsFollowTheirValues) {
  const TensorView value = weight({1, 2, 3, 4, 5, 6}, {2, 3});
  Prepared prepared({value});
  EXPECT_EQ(prepared.bytes(), 24);
  const dnnl::memory::desc plain = desc_of(value),
                           packed_desc({2, 3}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::ba);
  const dnnl::memory packed = prepared.packed(value, plain, packed_desc);
  const auto* data = static_cast<const float*>(packed.get_data_handle());
  EXPECT_THAT(Values(data, data + 6), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_EQ(prepared.packed(value, plain, packed_desc).get(), packed.get()) << "packed once for all programs";
  EXPECT_EQ(prepared.packed(value, plain, plain).get_data_handle(), value.data()) << "as they lie";
  value.data_as<float>()[1] = 7;
  prepared.pack();
  EXPECT_THAT(Values(data, data + 6), ElementsAre(1, 4, 7, 5, 3, 6));
}

}  // namespace
}  // namespace belfry::internal
