#include "belfry/graph/arguments_of.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"

namespace belfry {
namespace {

using testing::ElementsAre;

class ArgumentsOfTest : public testing::Test {
 protected:
  /// The value of the input of that index: the index itself.
  static at::Tensor index_itself(int index) { return at::full({}, index); }

  Graph graph;
  GraphScope as_default{graph};
  Tensor x = placeholder("x", {4, 3}), i = placeholder("i", {2}, kInt64);
};

TEST_F(ArgumentsOfTest, FindsTensorsByTheNamesOfTheSchema) {
  const Node& node = graph.add("aten::linear", {x, placeholder("w", {5, 3})});
  const ArgumentsOf arguments(node);
  EXPECT_EQ(arguments.tensor("input"), x);
  EXPECT_EQ(arguments.tensor("weight"), graph.tensor("w"));
  EXPECT_FALSE(arguments.tensor("bias"));
  EXPECT_TRUE(arguments.takes("bias"));
  EXPECT_FALSE(arguments.takes("stride"));
  EXPECT_THROW(arguments.tensor("stride"), InternalError);
}

TEST_F(ArgumentsOfTest, ListsMayHaveGaps) {
  const Node& node = graph.add("aten::index.Tensor", {x}, {{"indices", std::vector<Tensor>{Tensor(), i}}});
  EXPECT_THAT(ArgumentsOf(node).tensors("indices"), ElementsAre(Tensor(), i));
  const c10::Stack stack = make_stack(node, index_itself);
  ASSERT_EQ(stack.size(), 2u);
  EXPECT_EQ(stack[0].toTensor().item<int64_t>(), 0);
  const auto indices = stack[1].toOptionalTensorVector();
  ASSERT_EQ(indices.size(), 2u);
  EXPECT_FALSE(indices[0]);
  EXPECT_EQ(indices[1]->item<int64_t>(), 1);
}

TEST_F(ArgumentsOfTest, AStackHoldsListsConstantsAndNoGenerator) {
  const c10::Stack joined = make_stack(graph.add("aten::cat", {x, x}, {{"dim", 1}}), index_itself);
  EXPECT_EQ(joined.at(0).toTensorVector().size(), 2u);
  EXPECT_EQ(joined.at(1).toInt(), 1);
  const c10::Stack random = make_stack(graph.add("aten::bernoulli", {x}), index_itself);
  EXPECT_TRUE(random.at(1).isNone());
}

}  // namespace
}  // namespace belfry
