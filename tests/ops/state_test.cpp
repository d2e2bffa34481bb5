#include "belfry/ops/state.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StateTest : public testing::Test {
 protected:
  StateTest() {
    set_log_sink([this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; });
  }
  ~StateTest() override { set_log_sink({}); }

  /// The message of the error that `act` must throw.
  template <typename Act>
  static std::string error_of(const Act& act) {
    try {
      act();
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }

  Session& session() {
    session_.initialize_variables();
    return session_;
  }

  Graph graph;
  GraphScope as_default{graph};
  Variable v = get_variable("v", {2}, {.initializer = constant_initializer(at::tensor({1.0, 2.0}))});
  std::string log;

 private:
  Session session_{graph};
};

TEST_F(StateTest, ListsAreConstantsOfTheDtypeOfTheirNumbers) {
  Graph graph;
  GraphScope scope(graph);
  const Tensor whole = constant({1, 2, (int64_t{1} << 53) + 1}), mixed = constant({1, 2.5}, {2, 1});
  const Tensor bools = constant({true, false}), one = constant({7}), half = constant({1, 2}, {}, kFloat16);
  EXPECT_EQ(whole.dtype(), kInt64);
  EXPECT_EQ(mixed.dtype(), kFloat32);
  EXPECT_EQ(bools.dtype(), kBool);
  EXPECT_EQ(half.dtype(), kFloat16);
  EXPECT_EQ(one.shape(), Shape({1}));
  Session session(graph);
  const std::vector<at::Tensor> values = session.run({whole, mixed, bools});
  EXPECT_EQ(values[0][2].item<int64_t>(), (int64_t{1} << 53) + 1);
  EXPECT_THAT(values[1].sizes(), ElementsAre(2, 1));
  EXPECT_EQ(values[1][1][0].item<float>(), 2.5F);
  EXPECT_FALSE(values[2][1].item<bool>());
  EXPECT_THAT(error_of([] {
                constant({1, 2, 3}, {2});
              }),
              HasSubstr("expected 2 values for shape [2], got 3"));
}

TEST_F(StateTest, AListOfOneFetchGivesAListOfOneValue) {
  Graph graph;
  GraphScope scope(graph);
  const Tensor x = range(3), fractions = range(2.5);
  Session session(graph);
  const std::vector<at::Tensor> values = session.run({x});
  ASSERT_EQ(values.size(), 1u);
  EXPECT_TRUE(at::equal(values[0], at::tensor({0, 1, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(session.run(fractions), at::tensor({0., 1., 2.}, at::kFloat)));
}

TEST_F(StateTest, APlaceholderGivesWhatIsFed) {
  const Tensor x = placeholder("x", {kDynamic, 2}, kInt64);
  EXPECT_EQ(x.name(), "x:0");
  EXPECT_EQ(x.shape(), (Shape{kDynamic, 2}));
  EXPECT_EQ(session().run(x + 1, {{x, at::full({3, 2}, 4)}}).sum().item<int64_t>(), 30);
  EXPECT_THAT(error_of([&] { session().run(x); }), HasSubstr("x"));
}

TEST_F(StateTest, APlaceholderWithDefaultGivesItWhereNothingIsFed) {
  const Tensor x = placeholder_with_default(ones({2}), {kDynamic}, "x");
  EXPECT_EQ(x.shape(), (Shape{kDynamic}));
  EXPECT_EQ(session().run(sum(x)).item<float>(), 2);
  EXPECT_EQ(session().run(sum(x), {{x, at::full({5}, 3.0f)}}).item<float>(), 15);
  EXPECT_THAT(error_of([] { placeholder_with_default(ones({2}), {3}, "y"); }),
              HasSubstr("[placeholder_with_default y] expected a default that fits [3]"));
}

TEST_F(StateTest, AssignmentsWriteTheVariableAndGiveItsNewValue) {
  const at::Tensor four_five = at::tensor({4.0f, 5.0f});
  EXPECT_TRUE(session().run(assign(v, constant(four_five))).equal(four_five));
  EXPECT_TRUE(session().run(assign_add(v, constant(four_five))).equal(four_five * 2));
  EXPECT_TRUE(session().run(assign_sub(v, constant(1, kInt32))).equal(four_five * 2 - 1));
  EXPECT_TRUE(session().value(v).equal(four_five * 2 - 1));
}

TEST_F(StateTest, AssigningAnotherShapeIsAnError) {
  EXPECT_THAT(error_of([&] { assign(v, zeros({3})); }),
              HasSubstr("expected a value of the variable's shape"));
  EXPECT_THROW(assign_add(v, zeros({1, 2})), UsageError);
}

TEST_F(StateTest, AGroupRunsAllOfItsMembers) {
  const Variable w = get_variable("w", {}, {.initializer = zeros_initializer()});
  const Tensor all = group({assign_add(v, constant(1.0)), Tensor(), assign_add(w, constant(7.0))}, "all");
  EXPECT_EQ(all.op_name(), "all");
  EXPECT_FALSE(all.has_value());
  session().run(all);
  EXPECT_EQ(session().value(v)[0].item<float>(), 2);
  EXPECT_EQ(session().value(w).item<float>(), 7);
}

TEST_F(StateTest, NoOpIsAnOperationToOrder) {
  Tensor nothing;
  {
    ControlDependencies after({assign_add(v, constant(1.0))});
    nothing = no_op("nothing");
  }
  session().run(nothing);
  EXPECT_EQ(session().value(v)[0].item<float>(), 2);
}

TEST_F(StateTest, PrintLogsWheneverItsOutcomeIsComputed) {
  const Tensor x = constant(std::vector<double>{0.5, 1, 2, 3}, {2, 2});
  const Tensor printed = print(x, {x, sum(x)}, {.message = "x and its sum:"});
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(session().run(sum(printed)).item<float>(), 6.5f);
  EXPECT_THAT(log, HasSubstr("x and its sum: [2, 2] 0.5 1 2 ... [] 6.5"));
}

TEST_F(StateTest, GradientsFlowThroughPrint) {
  const Tensor gradient = gradients(sum(square(print(v, {v}))), {v})[0];
  EXPECT_TRUE(session().run(gradient).equal(at::tensor({2.0f, 4.0f})));
}

TEST_F(StateTest, AssertTrueFailsTheRunWithItsMessage) {
  const Tensor limit = placeholder("limit", {});
  ControlDependencies after({assert_true(v < limit, "v must stay small")});
  const Tensor total = sum(v);
  EXPECT_EQ(session().run(total, {{limit, at::full({}, 3.0f)}}).item<float>(), 3);
  EXPECT_THAT(error_of([&] {
                session().run(total, {{limit, at::full({}, 2.0f)}});
              }),
              HasSubstr("v must stay small"));
  EXPECT_THAT(error_of([&] { assert_true(v, "floats"); }), HasSubstr("expected a bool condition"));
}

TEST_F(StateTest, ConstantsHaveTheDtypesOfTheirNumbers) {
  EXPECT_EQ(constant(1.5).dtype(), kFloat32);
  EXPECT_EQ(constant(2).dtype(), kInt64);
  EXPECT_EQ(constant(true).dtype(), kBool);
  EXPECT_EQ(constant(2, kFloat64).dtype(), kFloat64);
  EXPECT_EQ(constant(std::vector<int64_t>{1, 2}, {}, kInt32).dtype(), kInt32);
  EXPECT_THAT(error_of([] {
                constant(std::vector<double>{1, 2}, {3}, kFloat32, "c");
              }),
              HasSubstr("[constant c] expected 3 values for shape [3], got 2"));
}

TEST_F(StateTest, NumbersThatTheDtypeHasNotAreNoConstants) {
  const auto message = [](const auto& build) { return error_of(build); };
  EXPECT_THAT(message([] { constant(300, kInt8, "c"); }),
              HasSubstr("[constant c] expected numbers of int8, got 300"));
  EXPECT_THAT(message([] { constant(-1, kUInt8); }), HasSubstr("uint8, got -1"));
  EXPECT_THAT(message([] { constant({1, 300}, {}, kInt8); }), HasSubstr("int8, got 300"));
  EXPECT_THAT(message([] { constant({1.0, 2.5}, {}, kInt32); }), HasSubstr("int32, got 2.5"));
  EXPECT_THAT(message([] { constant(std::nan(""), kInt32); }), HasSubstr("int32, got nan"));
  EXPECT_THAT(message([] { constant(std::vector<int64_t>{int64_t{1} << 40}, {}, kInt32); }),
              HasSubstr("int32, got 1099511627776"));
  EXPECT_EQ(constant({1.0, -2.0}, {}, kInt8).dtype(), kInt8);
}

TEST_F(StateTest, IdentityIsTheSameTensorUnderAnotherName) {
  const Tensor named = identity(v, "named");
  EXPECT_EQ(named.name(), "named:0");
  EXPECT_TRUE(session().run(named).equal(session().value(v)));
}

}  // namespace
}  // namespace belfry
