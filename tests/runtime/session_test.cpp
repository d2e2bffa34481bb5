#include "belfry/runtime/session.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"

namespace belfry {
namespace {

using testing::HasSubstr;

Tensor placeholder(const std::string& name, Shape shape, DType dtype = kFloat32) {
  return default_graph()
      .add_special(NodeKind::kPlaceholder, "belfry::placeholder", {}, {{"dtype", dtype}, {"shape", shape}},
                   name, {{dtype, shape}})
      .output();
}

Tensor call(const std::string& op, const std::vector<Tensor>& inputs, const Attributes& attributes = {},
            const std::string& name = "") {
  return default_graph().add(op, inputs, attributes, name).output();
}

Initializer constant(double value) {
  return [value](const Shape& shape, DType dtype) {
    return call("aten::full", {}, {{"size", shape}, {"fill_value", value}, {"dtype", dtype}});
  };
}

class SessionTest : public testing::Test {
 protected:
  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(SessionTest, RunsOnlyWhatTheFetchesNeed) {
  const Tensor a = placeholder("a", {2});
  const Tensor b = placeholder("b", {2});
  const Tensor twice = call("aten::mul.Scalar", {a}, {{"other", 2.0}}, "twice");
  call("aten::add.Tensor", {a, b}, {}, "sum");
  Session session(graph);
  EXPECT_TRUE(at::allclose(session.run("twice", {{"a", at::ones({2})}}), at::full({2}, 2.0)));
  EXPECT_TRUE(at::allclose(session.run(twice, {{a, at::ones({2})}}), at::full({2}, 2.0)));
}

TEST_F(SessionTest, AMissingFeedNamesThePlaceholderAndTheFetch) {
  const Tensor a = placeholder("image", {kDynamic, 28});
  call("aten::relu", {a}, {}, "prob");
  Session session(graph);
  try {
    session.run("prob");
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("'image'"), HasSubstr("[?, 28]"), HasSubstr("'prob:0'")));
  }
}

TEST_F(SessionTest, AWrongFeedSaysExpectedAndGiven) {
  const Tensor a = placeholder("image", {kDynamic, 28});
  const Tensor y = call("aten::relu", {a});
  Session session(graph);
  EXPECT_THROW(session.run(y, {{a, at::ones({2, 27})}}), UsageError);
  EXPECT_THROW(session.run(y, {{a, at::ones({2, 28}, at::kDouble)}}), UsageError);
  EXPECT_THROW(session.run(y, {{a, at::ones({28})}}), UsageError);
  EXPECT_NO_THROW(session.run(y, {{a, at::ones({2, 28})}}));
}

TEST_F(SessionTest, AnyTensorCanBeFed) {
  const Tensor a = placeholder("a", {});
  const Tensor b = call("aten::mul.Scalar", {a}, {{"other", 2.0}});
  const Tensor c = call("aten::add.Scalar", {b}, {{"other", 1.0}});
  Session session(graph);
  EXPECT_EQ(session.run(c, {{b, at::full({}, 5.0)}}).item<float>(), 6.0f);
}

TEST_F(SessionTest, FetchedVariablesAreCopies) {
  const Variable v = get_variable("v", {2}, {.initializer = constant(1)});
  const Tensor view = call("aten::view", {v}, {{"size", {2, 1}}});
  const Tensor update = call("aten::add_.Scalar", {v}, {{"other", 1.0}});
  Session session(graph);
  session.initialize_variables();
  const auto before = session.run({v, view});
  session.run(update);
  EXPECT_EQ(before[0][0].item<float>(), 1.0f);
  EXPECT_EQ(before[1][0][0].item<float>(), 1.0f);
  EXPECT_EQ(session.value(v)[0].item<float>(), 2.0f);
}

TEST_F(SessionTest, AnUninitializedVariableIsNamed) {
  const Variable v = get_variable("conv0/W", {2}, {.initializer = constant(1)});
  Session session(graph);
  try {
    session.run(call("aten::relu", {v}));
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("'conv0/W'"));
  }
}

TEST_F(SessionTest, ControlDependenciesRunFirst) {
  const Variable v = get_variable("v", {}, {.initializer = constant(1)});
  const Tensor update = call("aten::add_.Scalar", {v}, {{"other", 1.0}});
  Tensor after;
  {
    ControlDependencies first({update});
    after = call("aten::mul.Scalar", {v}, {{"other", 10.0}});
  }
  Session session(graph);
  session.initialize_variables();
  EXPECT_EQ(session.run(after).item<float>(), 20.0f);
}

TEST_F(SessionTest, MemoryOrderNeverShows) {
  VariableOptions options{.initializer = [](const Shape&, DType) {
    return call("aten::arange", {}, {{"end", 24.0}});
  }};
  options.initializer = [](const Shape& shape, DType dtype) {
    return call("aten::reshape", {call("aten::arange", {}, {{"end", 24}, {"dtype", dtype}})},
                {{"shape", shape}});
  };
  options.memory_order = {3, 0, 1, 2};
  const Variable v = get_variable("W", {1, 2, 3, 4}, options);
  Session session(graph);
  session.initialize_variables();
  const at::Tensor value = session.value(v);
  EXPECT_TRUE(value.is_contiguous());
  EXPECT_EQ(value[0][0][1][2].item<float>(), 6.0f);
  EXPECT_TRUE(at::equal(session.run(v), value));
}

TEST_F(SessionTest, SeededRandomNodesRepeatInANewSession) {
  graph.set_seed(7);
  const Tensor r = call("aten::rand.generator", {}, {{"size", {4}}}, "r");
  Session first(graph), second(graph);
  const at::Tensor a = first.run(r), b = first.run(r);
  EXPECT_FALSE(at::equal(a, b));
  EXPECT_TRUE(at::equal(second.run(r), a));
  EXPECT_TRUE(at::equal(second.run(r), b));
}

TEST_F(SessionTest, GradientsOfVariablesAndPlaceholders) {
  const Tensor x = placeholder("x", {3});
  const Variable w = get_variable("w", {3}, {.initializer = constant(2)});
  const Tensor loss = call("aten::sum", {call("aten::mul.Tensor", {x, call("aten::mul.Tensor", {w, w})})});
  const auto grads = gradients(loss, {w, x});
  Session session(graph);
  session.initialize_variables();
  const auto values = session.run({grads[0], grads[1], loss}, {{x, at::full({3}, 5.0)}});
  EXPECT_TRUE(at::allclose(values[0], at::full({3}, 20.0)));
  EXPECT_TRUE(at::allclose(values[1], at::full({3}, 4.0)));
  EXPECT_FALSE(values[2].requires_grad());
}

TEST_F(SessionTest, SecondDerivatives) {
  const Tensor x = placeholder("x", {});
  const Tensor cube = call("aten::mul.Tensor", {x, call("aten::mul.Tensor", {x, x})});
  const Tensor first = gradients(cube, {x})[0];
  const Tensor second = gradients(first, {x})[0];
  Session session(graph);
  const auto values = session.run({first, second}, {{x, at::full({}, 3.0)}});
  EXPECT_EQ(values[0].item<float>(), 27.0f);
  EXPECT_EQ(values[1].item<float>(), 18.0f);
}

TEST_F(SessionTest, TwoLossesShareTheirForwardPass) {
  const Tensor x = placeholder("x", {});
  const Variable a = get_variable("a", {}, {.initializer = constant(3)});
  const Tensor shared = call("aten::mul.Tensor", {x, a});
  const Tensor loss1 = call("aten::mul.Tensor", {shared, shared});
  const Tensor loss2 = call("aten::exp", {shared});
  const Tensor g1 = gradients(loss1, {a})[0], g2 = gradients(loss2, {a})[0];
  Session session(graph);
  session.initialize_variables();
  const auto values = session.run({g1, g2}, {{x, at::full({}, 1.0)}});
  EXPECT_FLOAT_EQ(values[0].item<float>(), 6.0f);
  EXPECT_FLOAT_EQ(values[1].item<float>(), std::exp(3.0f));
}

TEST_F(SessionTest, AnXWithoutAPathGetsNone) {
  const Variable a = get_variable("a", {}, {.initializer = constant(3)});
  const Variable b = get_variable("b", {}, {.initializer = constant(3)});
  const auto grads = gradients(call("aten::mul.Tensor", {a, a}), {a, b});
  EXPECT_TRUE(grads[0].defined());
  EXPECT_FALSE(grads[1].defined());
}

TEST_F(SessionTest, AnIdentityHasItsOwnGradient) {
  const Tensor x = placeholder("x", {});
  const Tensor y = default_graph()
                       .add_special(NodeKind::kIdentity, "belfry::identity", {x}, {}, "y", {{kFloat32, {}}})
                       .output();
  const Tensor loss = call("aten::add.Tensor", {call("aten::mul.Tensor", {y, y}), x});
  const auto grads = gradients(loss, {x, y});
  Session session(graph);
  const auto values = session.run({grads[0], grads[1]}, {{x, at::full({}, 3.0)}});
  EXPECT_EQ(values[0].item<float>(), 7.0f);
  EXPECT_EQ(values[1].item<float>(), 6.0f);
}

TEST_F(SessionTest, ACallableMayRunInManyThreads) {
  const Tensor x = placeholder("x", {kDynamic});
  const Tensor y = call("aten::mul.Scalar", {x}, {{"other", 3.0}});
  Session session(graph);
  const Callable run = session.make_callable({x}, {y});
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i)
        wrong += !at::equal(run({at::full({13}, 1.0 * t)})[0], at::full({13}, 3.0 * t));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(SessionTest, AKernelErrorNamesTheNode) {
  NameScope scope("block");
  const Tensor a = placeholder("a", {kDynamic}), b = placeholder("b", {kDynamic});
  const Tensor sum = call("aten::add.Tensor", {a, b}, {}, "sum");
  Session session(graph);
  try {
    session.run(sum, {{a, at::ones({2})}, {b, at::ones({3})}});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("block/sum"));
  }
}

TEST_F(SessionTest, SetValueChecksShapeAndDtype) {
  const Variable v = get_variable("v", {2}, {.initializer = constant(1)});
  Session session(graph);
  EXPECT_THROW(session.set_value(v, at::ones({3})), UsageError);
  EXPECT_THROW(session.set_value(v, at::ones({2}, at::kDouble)), UsageError);
  EXPECT_FALSE(session.is_initialized(v));
}

}  // namespace
}  // namespace belfry
