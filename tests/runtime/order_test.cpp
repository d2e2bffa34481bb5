#include "belfry/runtime/internal/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"

namespace belfry::internal {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class OrderTest : public testing::Test {
 protected:
  static std::vector<std::string> names(const std::vector<const Node*>& nodes) {
    std::vector<std::string> result;
    for (const Node* node : nodes) result.push_back(node->name());
    return result;
  }
  static std::vector<std::string> needed(const std::vector<Tensor>& fetches, const Fed& fed = {}) {
    return names(find_needed(fetches, fed));
  }
  static Order order(const std::vector<Tensor>& fetches, const Fed& fed = {}) {
    return order_nodes(find_needed(fetches, fed), fed);
  }

  Graph graph;
  GraphScope as_default{graph};
  Variable v = get_variable("v", {});
};

TEST_F(OrderTest, WhatTheFetchesAreNotComputedFromIsNotNeeded) {
  const Tensor x = identity(v, "x"), y = identity(x, "y");
  identity(x, "z");
  EXPECT_THAT(needed({y}), UnorderedElementsAre("v", "x", "y"));
}

TEST_F(OrderTest, WhatAFedTensorIsComputedFromIsNotNeeded) {
  const Tensor x = identity(placeholder("p", {}), "x"), y = identity(x, "y");
  EXPECT_THAT(needed({y}, {x}), ElementsAre("y"));
  EXPECT_THAT(needed({x}, {x}), ElementsAre());
}

TEST_F(OrderTest, AControlDependencyIsNeededAlsoWhereItIsFed) {
  const Tensor first = identity(v, "first");
  ControlDependencies after({first});
  const Tensor second = constant(1.0, "second");
  EXPECT_THAT(needed({second}), UnorderedElementsAre("v", "first", "second"));
  EXPECT_THAT(needed({second}, {first}), UnorderedElementsAre("v", "first", "second"));
}

TEST_F(OrderTest, APlaceholderThatIsNotFedIsNamedWithTheFetch) {
  const Tensor y = identity(placeholder("p", {kDynamic, 2}), "y");
  try {
    find_needed({y}, {});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("'p'"), HasSubstr("'y:0'")));
  }
}

TEST_F(OrderTest, AWriteComesAfterEveryReadThatDoesNotDependOnIt) {
  const Tensor write = assign_add(v, constant(1.0, "one"), "write");
  const Tensor read = identity(v, "read"), after = identity(write, "after");
  EXPECT_THAT(names(order({after, read}).nodes), ElementsAre("v", "one", "read", "write", "after"));
}

TEST_F(OrderTest, WhatDependsOnAWriteByControlComesAfterIt) {
  const Tensor write = assign_add(v, constant(1.0, "one"), "write");
  ControlDependencies after({write});
  const Tensor read = identity(v, "read");
  EXPECT_THAT(names(order({read}).nodes), ElementsAre("v", "one", "write", "read"));
}

TEST_F(OrderTest, KnowsThePlaceOfEachNodeAndTheWritersOfEachVariable) {
  const Tensor first = assign_add(v, constant(1.0), "first");
  ControlDependencies after({first});
  const Tensor second = assign_add(v, constant(2.0), "second");
  const Order found = order({second});
  EXPECT_THAT(found.writers.at(v.tensor()), ElementsAre(&first.node(), &second.node()));
  for (size_t i = 0; i < found.nodes.size(); ++i) EXPECT_EQ(found.position.at(found.nodes[i]), i);
}

TEST_F(OrderTest, FeedingTwiceIsAnError) {
  EXPECT_EQ(fed_tensors({v.tensor()}).size(), 1u);
  EXPECT_THROW(fed_tensors({v.tensor(), v.tensor()}), UsageError);
}

}  // namespace
}  // namespace belfry::internal
