#include "belfry/ops/operators.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

class OperatorsTest : public testing::Test {
 protected:
  at::Tensor value(const Tensor& tensor) {
    Session session(graph);
    session.initialize_variables();
    return session.run(tensor);
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(OperatorsTest, DividingANumberRoundsOnce) {
  const at::Tensor x = at::arange(1, 100, at::kFloat);
  const at::Tensor quotients = value(1.7 / constant(x));
  for (int64_t i = 0; i < x.numel(); ++i)
    EXPECT_EQ(quotients[i].item<float>(), 1.7f / x[i].item<float>()) << i;
}

TEST_F(OperatorsTest, NumbersKeepTheDtypeOfFloatsAndMakeIntegersFloatWhereTheyMust) {
  const Tensor half = zeros({2}, kFloat16), integers = ones({2}, kInt32);
  EXPECT_EQ((half * 2.5).dtype(), kFloat16);
  EXPECT_EQ((1 / half).dtype(), kFloat16);
  EXPECT_EQ((integers + 2).dtype(), kInt32);
  EXPECT_EQ((integers * 2.5).dtype(), kFloat32);
  EXPECT_EQ((1 / integers).dtype(), kFloat32);
  EXPECT_EQ(maximum(integers, 2).dtype(), kInt32);
}

TEST_F(OperatorsTest, TakeVariables) {
  const Variable v = get_variable("v", {2}, {.initializer = constant_initializer(at::tensor({1.0, 3.0}))});
  EXPECT_TRUE(value(cast(v < 2, kInt32)).equal(at::tensor({1, 0}, at::kInt)));
  EXPECT_TRUE(value(cast(2 >= v, kInt32)).equal(at::tensor({1, 0}, at::kInt)));
  Tensor total = v;
  total += v;
  EXPECT_TRUE(value(total).equal(at::tensor({2.0f, 6.0f})));
  EXPECT_TRUE(value(v).equal(at::tensor({1.0f, 3.0f})));
}

}  // namespace
}  // namespace belfry
