#include "belfry/ops/control_flow.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/ops/control_flow_baseline.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::close;
using test::kSameFormula;
using test::message_of;
using testing::HasSubstr;

at::Tensor waves(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return at::sin(0.7 * at::arange(count, at::kDouble)).reshape(shape);
}

/// A loss that no two elements enter alike.
Tensor weighted(const Tensor& y) {
  const Tensor flat = reshape(y, {-1});
  return sum(flat * cast(range(size(flat)) + 1, kFloat64));
}

Tensor matvec(const Tensor& matrix, const Tensor& vector) {
  return call("aten::mv", {matrix, vector});
}

using Build = std::function<Tensor(const Tensor& x, const Tensor& w)>;

Build cond_of(double shift) {
  return [shift](const Tensor& x, const Tensor& w) {
    return cond(
        sum(x) + shift > 0, [&] { return x * w; }, [&] { return expand_dims(max(x, {0}), 0) - w * w; });
  };
}

Tensor power(const Tensor& x, const Tensor& w) {
  return while_loop([](const auto& v) { return max(abs(v[0])) < 20; },
                    [&](const auto& v) {
                      return std::vector<Tensor>{v[0] * w, v[1] + 1};
                    },
                    {x, constant(0)})[0];
}

Tensor limited(const Tensor& x, const Tensor& w) {
  return while_loop([](const auto&) { return constant(true); },
                    [&](const auto& v) { return std::vector<Tensor>{v[0] * w}; }, {x},
                    {.maximum_iterations = 3})[0];
}

Tensor growing(const Tensor& x, const Tensor& w) {
  return while_loop([](const auto& v) { return select(shape(v[0]), 0) < 10; },
                    [&](const auto& v) {
                      return std::vector<Tensor>{concat({v[0], slice(v[0], {0, 0}, {1, -1}) * w}, 0)};
                    },
                    {x}, {.shape_invariants = {{kDynamic, 3}}})[0];
}

Tensor rows(const Tensor& x, const Tensor& r) {
  return map_fn([&](const Tensor& row) { return tanh(matvec(r, row)); }, x);
}

Tensor pairs(const Tensor& x, const Tensor& w) {
  const auto results = map_fn(
      [](const std::vector<Tensor>& e) {
        return std::vector<Tensor>{e[0] * e[1], sum(e[0])};
      },
      {x, tile(expand_dims(w, 0), {4, 1})});
  return results[0] + expand_dims(results[1], 1);
}

Build recurrent(bool reverse) {
  return [reverse](const Tensor& x, const Tensor& r) {
    return scan([&](const Tensor& h, const Tensor& e) { return tanh(matvec(r, h) + e); }, x,
                constant(at::ones({3}, at::kDouble)), {.reverse = reverse});
  };
}

Build products(bool reverse) {
  return [reverse](const Tensor& x, const Tensor& w) {
    return scan([&](const Tensor& a, const Tensor& e) { return a * w + e; }, x, {.reverse = reverse});
  };
}

Tensor nested(const Tensor& x, const Tensor& w) {
  return map_fn(
      [&](const Tensor& row) {
        return cond(
            select(row, 0) > 0, [&] { return row * w; }, [&] { return -row; });
      },
      x);
}

const std::map<std::string, Build>& builds() {
  static const std::map<std::string, Build> builds = {
      {"cond_then", cond_of(5)},
      {"cond_else", cond_of(-5)},
      {"while_power", power},
      {"while_limited", limited},
      {"while_growing", growing},
      {"map_rows", rows},
      {"map_pairs", pairs},
      {"scan_recurrent", recurrent(false)},
      {"scan_reverse", recurrent(true)},
      {"scan_products", products(false)},
      {"scan_products_reverse", products(true)},
      {"map_of_cond", nested},
  };
  return builds;
}

at::Tensor as_tensor(const std::vector<double>& values, const at::Tensor& like) {
  return at::tensor(values, at::kDouble).reshape(like.sizes());
}

class ControlFlowTest : public testing::TestWithParam<std::pair<const std::string, Build>> {
 protected:
  Graph graph;
  GraphScope as_default{graph};
};

TEST_P(ControlFlowTest, HasTensorFlowsValuesAndGradients) {
  const auto& [name, build] = GetParam();
  const auto& expected = test::kControlFlowBaselines.at(name);
  const bool square = name == "map_rows" || name == "scan_recurrent" || name == "scan_reverse";
  const at::Tensor w_value = square ? waves({3, 3}) + 0.2 : waves({3}) + 1.5;
  for (const Shape& shape : {Shape{4, 3}, Shape{kDynamic, 3}}) {
    const Tensor x = placeholder("x", shape, kFloat64), w = placeholder("w", w_value.sizes().vec(), kFloat64);
    const Tensor y = build(x, w);
    EXPECT_TRUE(is_compatible_with(y.shape(), expected.shape)) << describe(y);
    const auto by = gradients(weighted(y), {x, w});
    Session session(graph);
    std::vector<Fetch> fetches = {y, by[0]};
    if (by[1].defined()) fetches.push_back(by[1]);
    const auto values = session.run(fetches, {{x, waves({4, 3})}, {w, w_value}});
    EXPECT_EQ(values[0].sizes().vec(), expected.shape);
    EXPECT_TRUE(close(values[0], as_tensor(expected.value, values[0]), kSameFormula));
    EXPECT_TRUE(close(values[1], as_tensor(expected.by_x, values[1]), kSameFormula));
    if (by[1].defined()) {
      EXPECT_TRUE(close(values[2], as_tensor(expected.by_w, values[2]), kSameFormula));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ControlFlowTest, testing::ValuesIn(builds().begin(), builds().end()),
                         [](const auto& info) { return info.param.first; });

class ControlFlow : public testing::Test {
 protected:
  std::string error_of(const std::function<void()>& build) { return message_of<UsageError>(build); }

  Graph graph;
  GraphScope as_default{graph};
  Session session{graph};
};

TEST_F(ControlFlow, ShapesThatBothWaysShareAreStatic) {
  const Tensor flag = placeholder("flag", {}, kBool), x = placeholder("x", {kDynamic, 3, 5});
  const Tensor y = cond(
      flag, [&] { return x; },
      [&] {
        return concat({x, x}, 2);
      });
  EXPECT_EQ(y.shape(), (Shape{kDynamic, 3, kDynamic}));
  EXPECT_EQ(map_fn([](const Tensor& e) { return sum(e, {0}); }, x).shape(), (Shape{kDynamic, 5}));
}

TEST_F(ControlFlow, OnlyTheBranchThatIsTakenRuns) {
  const Tensor flag = placeholder("flag", {}, kBool), x = placeholder("x", {2}, kInt64);
  const Tensor y = cond(
      flag,
      [&] {
        return floor_div(x, constant({0, 0}));
      },
      [&] { return x + 1; });
  EXPECT_EQ(session.run(y, {{flag, at::zeros({}, at::kBool)}, {x, at::tensor({1, 2}, at::kLong)}})[1]
                .item<int64_t>(),
            3);
  EXPECT_THROW(session.run(y, {{flag, at::ones({}, at::kBool)}, {x, at::tensor({1, 2}, at::kLong)}}),
               DataError);
}

TEST_F(ControlFlow, LayersInABranchCreateVariablesOfTheGraph) {
  const TowerContext tower("", {.is_training = true});
  const Tensor flag = placeholder("flag", {}, kBool), x = placeholder("x", {kDynamic, 3});
  const Tensor y = cond(
      flag, [&] { return x | FullyConnected("fc", {.units = 2}); },
      [&] {
        return slice(x, {0, 0}, {-1, 2});
      });
  ASSERT_EQ(trainable_variables().size(), 2u);
  EXPECT_EQ(trainable_variables()[0].name(), "fc/W");
  const auto grads = gradients(sum(y), {trainable_variables()[0]});
  session.initialize_variables();
  const at::Tensor ones = at::ones({4, 3});
  EXPECT_EQ(session.run(grads[0], {{flag, at::ones({}, at::kBool)}, {x, ones}}).sum().item<double>(), 24);
  EXPECT_EQ(session.run(grads[0], {{flag, at::zeros({}, at::kBool)}, {x, ones}}).sum().item<double>(), 0);
}

TEST_F(ControlFlow, NodesHaveTheirNamesAndTheirFunctionsAreBelow) {
  const NameScope scope("net");
  const Tensor x = placeholder("x", {3});
  const Tensor y = map_fn([](const Tensor& e) { return identity(e * 2, "twice"); }, x, "loop");
  const Tensor z = map_fn([](const Tensor& e) { return e * 2; }, x, "loop");
  EXPECT_EQ(y.op_name(), "net/loop");
  EXPECT_EQ(z.op_name(), "net/loop_1");
  EXPECT_TRUE(graph.find_tensor("net/loop/twice"));
}

TEST_F(ControlFlow, MapsNoElements) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  const Tensor y = map_fn([](const Tensor& e) { return concat({e, e}, 0); }, x);
  EXPECT_EQ(session.run(y, {{x, at::zeros({0, 3})}}).sizes().vec(), (Shape{0, 6}));
}

TEST_F(ControlFlow, ALoopOfNoIterationGivesTheFirstValues) {
  const Variable v = get_variable("v", {2}, {.initializer = constant_initializer(3)});
  const Tensor y = while_loop([](const auto&) { return constant(false); },
                              [](const auto& now) { return std::vector<Tensor>{now[0] * 2}; }, {v})[0];
  const auto grads = gradients(sum(y * y), {v, y});
  session.initialize_variables();
  const auto values = session.run({y, grads[0], grads[1]});
  EXPECT_EQ(values[0][0].item<double>(), 3);
  EXPECT_EQ(values[1][0].item<double>(), 6);
  EXPECT_EQ(values[2][0].item<double>(), 6);
}

TEST_F(ControlFlow, RandomNumbersComeFromTheNodesSeed) {
  graph.set_seed(3);
  const Tensor x = placeholder("x", {5});
  const Tensor y = map_fn([](const Tensor& e) { return e + random_uniform({}); }, x);
  Session other(graph);
  const at::Tensor zeros = at::zeros({5});
  const at::Tensor first = session.run(y, {{x, zeros}}), second = session.run(y, {{x, zeros}});
  EXPECT_TRUE(first.equal(other.run(y, {{x, zeros}})));
  EXPECT_FALSE(first.equal(second));
  EXPECT_NE(first[0].item<double>(), first[1].item<double>());
}

TEST_F(ControlFlow, GradientsOfGradientsAreThoseOfTheWayTaken) {
  const Tensor x = placeholder("x", {}, kFloat64);
  const Tensor y = while_loop([](const auto& v) { return v[0] < 100; },
                              [](const auto& v) { return std::vector<Tensor>{v[0] * v[0]}; }, {x})[0];
  const Tensor first = gradients(y, {x})[0], second = gradients(first, {x})[0];
  const auto values = session.run({y, second}, {{x, 2 * at::ones({}, at::kDouble)}});
  EXPECT_EQ(values[0].item<double>(), 256);  // x^8
  EXPECT_EQ(values[1].item<double>(), 8 * 7 * 64);
}

TEST_F(ControlFlow, RefusesWhatARunCouldNotDo) {
  const Tensor flag = placeholder("flag", {}, kBool), x = placeholder("x", {2});
  const Variable v = get_variable("v", {2});
  EXPECT_THAT(error_of([&] {
                cond(
                    x, [&] { return x; }, [&] { return x; });
              }),
              HasSubstr("bool scalar"));
  EXPECT_THAT(error_of([&] {
                cond(
                    flag, [&] { return x; }, [&] { return cast(x, kInt64); });
              }),
              HasSubstr("float32 and int64"));
  EXPECT_THAT(error_of([&] {
                cond(
                    flag, [&] { return x; }, [&] { return sum(x); });
              }),
              HasSubstr("same rank"));
  EXPECT_THAT(error_of([&] {
                cond(
                    flag, [&] { return assign(v, x); }, [&] { return x; });
              }),
              HasSubstr("writes a variable"));
  EXPECT_THAT(error_of([&] {
                cond(
                    flag, [&] { return gradients(sum(v * v), {v})[0]; }, [&] { return x; });
              }),
              HasSubstr("takes gradients"));
  EXPECT_THAT(error_of([&] {
                while_loop([](const auto&) { return constant(true); },
                           [](const auto& now) {
                             return std::vector<Tensor>{concat({now[0], now[0]}, 0)};
                           },
                           {x});
              }),
              HasSubstr("shape invariant"));
  EXPECT_THAT(error_of([&] { map_fn([](const Tensor& e) { return e; }, sum(x)); }), HasSubstr("dimension 0"));
  EXPECT_THAT(
      error_of([&] {
        scan([](const Tensor& a, const Tensor&) { return concat({a, a}, 0); }, x, placeholder("a", {1}));
      }),
      HasSubstr("shape invariant"));
}

TEST_F(ControlFlow, RefusesUpdateOperationsInABranch) {
  const TowerContext tower("", {.is_training = true});
  const Tensor flag = placeholder("flag", {}, kBool), x = placeholder("x", {kDynamic, 4});
  EXPECT_THAT(error_of([&] {
                cond(
                    flag, [&] { return x | BatchNorm("bn"); }, [&] { return x; });
              }),
              HasSubstr("update operations"));
}

TEST_F(ControlFlow, ErrorsOfARunNameTheNodeInTheBody) {
  const Tensor x = placeholder("x", {kDynamic, 3}), w = placeholder("w", {kDynamic});
  const Tensor y = map_fn([&](const Tensor& e) { return identity(e * w, "product"); }, x, "loop");
  const std::string message = message_of<UsageError>([&] {
    session.run(y, {{x, at::ones({2, 3})}, {w, at::ones({2})}});
  });
  EXPECT_THAT(message, HasSubstr("loop/mul"));
}

}  // namespace
}  // namespace belfry
