// Arguments that once ended the process: whatever reaches an operator, from C++ or a file, is an error there.

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <limits>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/call.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

class ArgumentTest : public testing::Test {
 protected:
  Graph graph_;
  GraphScope default_{graph_};
};

TEST_F(ArgumentTest, AScalarHasNoAxes) {
  const Tensor scalar = placeholder("scalar", {});
  const Tensor indices = placeholder("indices", {2}, kInt64);
  EXPECT_THAT(message_of<UsageError>([&] { gather(scalar, indices); }), HasSubstr("got a scalar"));
  for (const char* op : {"belfry::prod", "aten::logsumexp", "aten::std.correction", "aten::var.correction"})
    EXPECT_THROW(
        call(op, {scalar}, {{op == std::string("belfry::prod") ? "axes" : "dim", std::vector<int64_t>{1}}}),
        UsageError)
        << op;
}

TEST_F(ArgumentTest, ListsHaveTheLengthOfTheSchema) {
  const Tensor image = placeholder("image", {1, 4, 4, 3});
  const std::vector<int64_t> none, one = {2}, three = {2, 2, 2}, two = {2, 2};
  for (const auto& wrong : {none, one, three}) {
    EXPECT_THAT(message_of<UsageError>([&] {
                  call("belfry::max_pool2d", {image}, {{"kernel", wrong}, {"strides", two}});
                }),
                HasSubstr("[belfry::max_pool2d] expected 2 numbers for 'kernel', got"));
    EXPECT_THAT(message_of<UsageError>([&] {
                  call("belfry::resize", {image}, {{"size", wrong}});
                }),
                HasSubstr("expected 2 numbers for 'size', got"));
  }
}

TEST_F(ArgumentTest, BlocksAreOfASizeThatCanBeSquared) {
  const Tensor image = placeholder("image", {1, 4, 4, 4});
  for (const int64_t block : {int64_t{0}, int64_t{-2}, int64_t{1} << 32, int64_t{1} << 62}) {
    EXPECT_THROW(depth_to_space(image, block), UsageError);
    EXPECT_THROW(space_to_depth(image, block), UsageError);
  }
}

TEST_F(ArgumentTest, AReductionIsOneOfThree) {
  const Tensor x = placeholder("x", {2});
  for (const int64_t reduction : {int64_t{-1}, int64_t{3}, std::numeric_limits<int64_t>::max()}) {
    for (const char* op : {"aten::mse_loss", "aten::l1_loss", "aten::huber_loss"})
      EXPECT_THAT(message_of<UsageError>([&] {
                    call(op, {x, x}, {{"reduction", reduction}});
                  }),
                  HasSubstr("expected the reduction 0 (none), 1 (mean) or 2 (sum), got"))
          << op;
  }
}

TEST_F(ArgumentTest, NumbersThatADTypeHasNotAreErrorsOfTheCaller) {
  const Tensor x = placeholder("x", {2});
  for (const Tensor& y : {call("aten::clamp_min", {x}, {{"min", 1e300}}),
                          call("aten::leaky_relu", {x}, {{"negative_slope", 1e300}}),
                          call("belfry::clip_by_norm", {x}, {{"max_norm", 1e300}})}) {
    EXPECT_THAT(message_of<UsageError>([&] {
                  Session(graph_).run(y, {{x, at::ones({2})}});
                }),
                HasSubstr("without overflow"));
  }
}

TEST_F(ArgumentTest, AConvolutionTakesNoListAsItsWeight) {
  const Tensor x = placeholder("x", {1, 2, 4, 4});
  for (const Shape& shape : {Shape{}, Shape{2}, Shape{2, 2}}) {
    const Tensor weight = placeholder("weight", shape);
    for (const char* op : {"aten::conv2d", "aten::conv1d"})
      EXPECT_THAT(message_of<UsageError>([&] {
                    call(op, {x, weight});
                  }),
                  HasSubstr("expected a weight of at least 3 dimensions"));
  }
}

TEST_F(ArgumentTest, ResultsHaveNoNegativeSizes) {
  const Tensor nothing = placeholder("nothing", {0});
  EXPECT_THAT(message_of<UsageError>([&] {
                call("aten::expand", {nothing}, {{"size", {-2, -1}}});
              }),
              HasSubstr("a result with sizes from 0 on, got [-2, 0]"));
}

TEST_F(ArgumentTest, NoOperatorGivesAMillionResults) {
  const Tensor x = placeholder("x", {1 << 20});
  EXPECT_THAT(message_of<UsageError>([&] { call_multi("aten::unbind.int", {x}); }),
              HasSubstr("expected at most 65536 results, got 1048576"));
  EXPECT_THROW(call_multi("belfry::split", {x}, {{"count", 1 << 20}, {"axis", 0}}), UsageError);
}

TEST_F(ArgumentTest, ARadiusBeyondTheChannelsCostsNothing) {
  const Tensor x = placeholder("x", {1, 3});
  Session session(graph_);
  const at::Tensor value = at::ones({1, 3});
  const auto normalized = [&](int64_t radius) {
    return session.run(local_response_normalization(x, {.depth_radius = radius}), {{x, value}});
  };
  EXPECT_TRUE(at::equal(normalized(int64_t{1} << 60), normalized(3)));
}

// A processor that divides the lowest integer by -1 stops the process.
TEST_F(ArgumentTest, TheLowestIntegerIsDividedByMinusOne) {
  const Tensor x = placeholder("x", {2}, kInt64), y = placeholder("y", {1}, kInt64);
  const std::vector<Tensor> results = {call("aten::div.Tensor_mode", {x, y}, {{"rounding_mode", "trunc"}}),
                                       call("aten::div.Tensor_mode", {x, y}, {{"rounding_mode", "floor"}}),
                                       floor_div(x, y), call("aten::fmod.Tensor", {x, y}), floor_mod(x, y)};
  const int64_t lowest = std::numeric_limits<int64_t>::min();
  const auto values =
      Session(graph_).run({results.begin(), results.end()},
                          {{x, at::tensor({lowest, int64_t{7}})}, {y, at::tensor({int64_t{-1}})}});
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_TRUE(at::equal(values[i],
                          at::tensor(i < 3 ? std::vector<int64_t>{lowest, -7} : std::vector<int64_t>{0, 0})))
        << i;
}

TEST_F(ArgumentTest, UnsignedIntegersAreDividedByMinusOneInTheDtypeOfTheResult) {
  const Tensor x = placeholder("x", {1}, kUInt8), y = placeholder("y", {1}, kInt64);
  const at::Tensor quotient =
      Session(graph_).run(floor_div(x, y), {{x, at::full({1}, 5, kUInt8)}, {y, at::full({1}, -1, kInt64)}});
  EXPECT_EQ(quotient.item<int64_t>(), -5);
}

// A kernel takes its lists of numbers out of what it is called with.
TEST_F(ArgumentTest, ValuesAreToBlameBesideAListOfNumbers) {
  const Tensor indices = placeholder("indices", {kDynamic, 1}, kInt64), x = placeholder("x", {kDynamic});
  const Tensor sums = scatter_nd(indices, x, {4});
  EXPECT_THAT(message_of<DataError>([&] {
                Session(graph_).run(sums, {{indices, at::full({2, 1}, -1, kInt64)}, {x, at::ones({2})}});
              }),
              HasSubstr("expected indices of at least 0"));
}

TEST_F(ArgumentTest, ARunTimeShapeHasNoMillionSizes) {
  const Tensor shape = placeholder("shape", {1 << 20}, kInt64);
  EXPECT_THAT(message_of<UsageError>([&] { fill(RunTimeShape(shape), 1); }),
              HasSubstr("at most 64, got 1048576"));
}

}  // namespace
}  // namespace belfry
