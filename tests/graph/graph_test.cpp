#include "belfry/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "belfry/base/error.h"
#include "belfry/graph/needed_nodes.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/variable.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class GraphTest : public testing::Test {
 protected:
  template <typename F>
  static std::string error_of(F&& work) {
    try {
      work();
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(GraphTest, NamesAreUniqueTheWayTensorFlowMakesThem) {
  const Tensor x = placeholder("x", {2});
  EXPECT_EQ(relu(x).name(), "relu:0");
  EXPECT_EQ(relu(x).name(), "relu_1:0");
  EXPECT_EQ(relu(x, "Relu").name(), "Relu_2:0");
  {
    NameScope outer("block");
    EXPECT_EQ(relu(x).op_name(), "block/relu");
    NameScope inner("deep");
    EXPECT_EQ(relu(x).op_name(), "block/deep/relu");
  }
  NameScope again("block");
  EXPECT_EQ(relu(x).op_name(), "block_1/relu");
  NameScope reentered("block/");
  EXPECT_EQ(relu(x).op_name(), "block/relu_1");
}

TEST_F(GraphTest, TensorsAreFoundByNameWithAndWithoutTheirIndex) {
  const Tensor x = placeholder("x", {2});
  EXPECT_EQ(graph.tensor("x"), x);
  EXPECT_EQ(graph.tensor("x:0"), x);
  EXPECT_FALSE(graph.find_tensor("x:1").defined());
  EXPECT_FALSE(graph.find_tensor("x:").defined());
  EXPECT_FALSE(graph.find_tensor("x:99999999999999999999").defined());
}

TEST_F(GraphTest, AnUnknownNameSuggestsTheClosest) {
  placeholder("image", {2});
  EXPECT_THAT(error_of([&] { graph.tensor("imaeg:0"); }),
              AllOf(HasSubstr("'imaeg:0'"), HasSubstr("'image'")));
}

TEST_F(GraphTest, WhatARunNeedsFollowsInputsAndOrderUpToTheFeeds) {
  const Tensor x = placeholder("x", {2}), first = relu(x), middle = relu(first), other = relu(x);
  Tensor after;
  {
    const ControlDependencies order({other});
    after = relu(middle);
  }
  const Tensor last = relu(after);
  for (const Tensor& needed : {x, first, middle, other, after, last})
    EXPECT_TRUE(is_needed(needed.node(), {last})) << needed.name();
  EXPECT_FALSE(is_needed(last.node(), {after}));
  EXPECT_FALSE(is_needed(first.node(), {last}, {middle}));
  EXPECT_TRUE(is_needed(other.node(), {last}, {middle}));
  EXPECT_FALSE(is_needed(other.node(), {last}, {after}));
  EXPECT_FALSE(is_needed(other.node(), {middle}));
}

TEST_F(GraphTest, UsingATensorOfAnotherGraphNamesBoth) {
  const Tensor here = placeholder("here", {2});
  Graph other;
  Tensor there;
  {
    GraphScope scope(other);
    there = placeholder("there", {2});
  }
  EXPECT_THAT(error_of([&] { here + there; }), AllOf(HasSubstr("'here'"), HasSubstr("'there:0'")));
}

TEST_F(GraphTest, WithoutAGraphScopeThereIsNoDefaultGraph) {
  std::string message;
  std::thread([&] { message = error_of([] { default_graph(); }); }).join();
  EXPECT_THAT(message, HasSubstr("GraphScope"));
}

TEST_F(GraphTest, DynamicDimensionsFlowThroughShapes) {
  const Tensor x = placeholder("x", {kDynamic, 4, 6});
  EXPECT_THAT(relu(x).shape(), ElementsAre(kDynamic, 4, 6));
  EXPECT_THAT(reshape(x, {-1, 24}).shape(), ElementsAre(kDynamic, 24));
  EXPECT_THAT(transpose(x, {2, 0, 1}).shape(), ElementsAre(6, kDynamic, 4));
  EXPECT_THAT(concat({x, x}, 0).shape(), ElementsAre(kDynamic, 4, 6));
  EXPECT_THAT(concat({x, x}, 2).shape(), ElementsAre(kDynamic, 4, 12));
}

TEST_F(GraphTest, AWrongShapeIsAnErrorWhereItIsWritten) {
  NameScope scope("head");
  const Tensor a = placeholder("a", {kDynamic, 4}), b = placeholder("b", {5, 6});
  EXPECT_THAT(
      error_of([&] {
        call("aten::matmul", {a, b}, {}, "logits");
      }),
      AllOf(HasSubstr("aten::matmul"), HasSubstr("head/logits"), HasSubstr("[?, 4]"), HasSubstr("[5, 6]")));
}

TEST_F(GraphTest, AnyOperatorIsCalledByItsSchema) {
  const Tensor x = placeholder("x", {2, 3});
  const Tensor y = call("aten::gelu", {x}, {{"approximate", "tanh"}});
  EXPECT_EQ(y.node().op_name(), "aten::gelu");
  EXPECT_EQ(y.node().attribute("approximate").toStringRef(), "tanh");
  EXPECT_EQ(call("aten::mul", {x}, {{"other", 2.0}}).node().op_name(), "aten::mul.Scalar");
  EXPECT_THAT(error_of([&] {
                call("aten::gelu", {x}, {{"approximation", "tanh"}});
              }),
              HasSubstr("no argument 'approximation'"));
  EXPECT_THAT(error_of([&] {
                call("aten::gelu", {x}, {{"approximate", 1}});
              }),
              HasSubstr("'approximate' wants str"));
  EXPECT_THAT(error_of([&] { call("aten::gelu", {x, x}); }), HasSubstr("takes 1 tensors, 2 were given"));
  EXPECT_THAT(error_of([&] { call("aten::no_such_thing", {x}); }), HasSubstr("aten::no_such_thing"));
}

TEST_F(GraphTest, AnOverloadIsFoundByItsArguments) {
  const Tensor x = placeholder("x", {2, 3}), low = placeholder("low", {3});
  const auto overload = [](const std::string& op, const std::vector<Tensor>& inputs,
                           const Attributes& attributes) {
    return default_graph().add(op, inputs, attributes).op_name();
  };
  EXPECT_EQ(overload("aten::sum", {x}, {}), "aten::sum");
  EXPECT_EQ(overload("aten::sum", {x}, {{"dim", {0}}}), "aten::sum.dim_IntList");
  EXPECT_EQ(overload("aten::mean", {x}, {{"dim", {0}}}), "aten::mean.dim");
  EXPECT_EQ(overload("aten::max", {x}, {{"dim", 0}}), "aten::max.dim");
  EXPECT_EQ(overload("aten::max", {x, low}, {}), "aten::max.other");
  EXPECT_EQ(overload("aten::any", {x}, {{"dim", 0}}), "aten::any.dim");
  EXPECT_EQ(overload("aten::squeeze", {x}, {{"dim", 0}}), "aten::squeeze.dim");
  EXPECT_EQ(overload("aten::clamp", {x}, {{"min", 0.0}}), "aten::clamp");
  EXPECT_EQ(overload("aten::clamp", {x, low}, {}), "aten::clamp.Tensor");
  EXPECT_EQ(overload("aten::div", {x, low}, {}), "aten::div.Tensor");
  EXPECT_EQ(overload("aten::div", {x, low}, {{"rounding_mode", "floor"}}), "aten::div.Tensor_mode");
}

TEST_F(GraphTest, AnArgumentOfAnyTypeIsAnAttribute) {
  const Tensor x = placeholder("x", {1, 2, 3, 4});
  call("aten::clone", {x}, {{"memory_format", c10::MemoryFormat::ChannelsLast}});
  call("aten::zeros", {}, {{"size", {2}}, {"device", c10::Device(c10::kCPU)}, {"layout", c10::kStrided}});
  const Tensor y = call("aten::mul.Scalar", {x}, {{"other", c10::complex<double>(0, 1)}});
  EXPECT_EQ(y.dtype(), kComplex64);
  EXPECT_THAT(call_multi("aten::_foreach_add.ScalarList", {x, x}, {{"scalars", {1, 2}}}), SizeIs(2));
}

TEST_F(GraphTest, AFinalGraphTakesNoNodes) {
  const Tensor x = placeholder("x", {2});
  graph.finalize();
  EXPECT_THAT(error_of([&] { relu(x); }), HasSubstr("the graph is final"));
}

TEST_F(GraphTest, VariableScopesNameVariablesAndNodes) {
  VariableScope scope("conv0");
  const Variable w = get_variable("W", {3});
  EXPECT_EQ(w.name(), "conv0/W");
  EXPECT_EQ(relu(w).op_name(), "conv0/relu");
  EXPECT_THAT(trainable_variables(), ElementsAre(w));
}

TEST_F(GraphTest, ASlashAtTheEndOfAVariableScopeIsNoPartOfItsName) {
  VariableScope scope("conv0/");
  EXPECT_EQ(get_variable("W", {3}).name(), "conv0/W");
}

TEST_F(GraphTest, NamesAreThoseThatTensorFlowTakes) {
  const Tensor x = placeholder("x", {2});
  EXPECT_EQ(relu(x, "a-b.c>d\\e").op_name(), "a-b.c>d\\e");
  for (const char* bad : {"_a", "a:0", "a b", "a*", "\xc3\xa9"}) {
    EXPECT_THAT(error_of([&] { relu(x, bad); }), HasSubstr(bad));
    EXPECT_THAT(error_of([&] { NameScope scope(bad); }), HasSubstr(bad));
  }
  NameScope scope("block");
  EXPECT_EQ(relu(x, "_a").op_name(), "block/_a");
}

TEST_F(GraphTest, ReuseFindsVariablesAndChecksThem) {
  Variable w;
  {
    VariableScope scope("fc");
    w = get_variable("W", {3});
    EXPECT_THAT(error_of([] { get_variable("W", {3}); }), HasSubstr("exists already"));
  }
  VariableScope scope("fc", {.reuse = Reuse::kReuse});
  EXPECT_EQ(get_variable("W", {3}), w);
  EXPECT_THAT(error_of([] { get_variable("W", {4}); }), AllOf(HasSubstr("[3]"), HasSubstr("[4]")));
  EXPECT_THAT(error_of([] { get_variable("V", {4}); }), HasSubstr("fc/V"));
}

TEST_F(GraphTest, AnInferenceTowerPutsNodesUnderItsNameAndSharesVariables) {
  TowerFunc tower(
      [](const TowerInputs& in) {
        VariableScope scope("fc");
        const Tensor y = in["x"] * get_variable("W", {2});
        default_graph().add_to_collection(kUpdateOps, y);
        return identity(y, "output");
      },
      {{"x", {kDynamic, 2}}, {"label", {kDynamic}, kInt64}});
  const Tensor x = placeholder("x", {kDynamic, 2});
  {
    TowerContext context("", {.is_training = true});
    tower({{"x", x}});
  }
  {
    VariableScope reuse("", {.reuse = Reuse::kReuse});
    TowerContext context("tower-pred", {.is_training = false});
    EXPECT_FALSE(current_tower_context().has_own_variables());
    tower({{"x", x}});
  }
  EXPECT_EQ(tower.towers()[0].tensor("fc/output").op_name(), "fc/output");
  EXPECT_EQ(tower.find_tower("tower-pred")->tensor("fc/output").op_name(), "tower-pred/fc/output");
  EXPECT_EQ(tower.find_tower("tower-pred")->tensor("fc/W").op_name(), "fc/W");
  EXPECT_THAT(graph.collection(kUpdateOps), SizeIs(1));
  EXPECT_THAT(trainable_variables(), SizeIs(1));
}

TEST_F(GraphTest, TowersDoNotNestAndLayersNeedOne) {
  EXPECT_THAT(error_of([] { current_tower_context("Dropout"); }), HasSubstr("[Dropout]"));
  TowerContext context("", {.is_training = true});
  EXPECT_THAT(error_of([] { TowerContext inner("b", {.is_training = false}); }), HasSubstr("do not nest"));
}

TEST_F(GraphTest, ATowerFunctionChecksItsInputs) {
  TowerFunc tower([](const TowerInputs&) { return Tensor(); }, {{"x", {kDynamic, 2}}});
  TowerContext context("", {.is_training = true});
  EXPECT_THAT(error_of([&] { tower({{"y", placeholder("y", {2, 2})}}); }), HasSubstr("'y'"));
  EXPECT_THAT(error_of([&] {
                tower({{"x", placeholder("x", {2, 3})}});
              }),
              AllOf(HasSubstr("[?, 2]"), HasSubstr("[2, 3]")));
  EXPECT_THAT(error_of([] { TowerFunc bad({}, {{"a:0", {}}}); }), HasSubstr("'a:0'"));
}

TEST_F(GraphTest, OnlyVariablesAreWrittenInPlace) {
  const Tensor x = placeholder("x", {2});
  EXPECT_THAT(error_of([&] {
                call("aten::add_.Scalar", {x}, {{"other", 1.0}});
              }),
              HasSubstr("expected a variable"));
}

}  // namespace
}  // namespace belfry
