// The derivative rules: what differentiate() adds as nodes, run by a session and compiled, against ATen's
// autograd, for every case of the table of operators.

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/rand.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"
#include "belfry/step/internal/step_function.h"
#include "tests/support/op_cases.h"

namespace belfry {
namespace {

using internal::make_step_function;
using test::case_name;
using test::OpCase;

bool is_checked(const OpCase& c) {
  return c.differentiable && !c.depends_on_data;
}

class Derivatives : public testing::TestWithParam<size_t> {};

TEST_P(Derivatives, AreThoseOfAutograd) {
  const OpCase& c = test::op_cases()[GetParam()];
  Graph graph;
  GraphScope as_default(graph);
  std::vector<Tensor> inputs, xs;
  std::vector<at::Tensor> values;
  std::vector<Shape> shapes;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    values.push_back(c.inputs[i].value(static_cast<int>(i)));
    shapes.push_back(values[i].sizes().vec());
    inputs.push_back(placeholder(fmt::format("x{}", i), shapes[i], values[i].scalar_type()));
    if (c.inputs[i].differentiable && c10::isFloatingType(values[i].scalar_type())) xs.push_back(inputs[i]);
  }
  Tensor loss;
  int seed = 10;
  for (const Tensor& output : c.build(inputs)) {
    if (!c10::isFloatingType(output.dtype())) continue;
    at::manual_seed(++seed);
    const Tensor weighted =
        sum(output * constant(at::rand(output.shape(), at::kFloat).to(output.dtype()) + 0.5));
    loss = loss.defined() ? loss + weighted : weighted;
  }
  if (!loss.defined() || xs.empty()) GTEST_SKIP() << "nothing to differentiate";
  const std::vector<Tensor> by_x = gradients(loss, xs);
  std::vector<Tensor> fetches = {loss};
  for (const Tensor& g : by_x) {
    if (g.defined()) fetches.push_back(g);
  }
  if (fetches.size() == 1) GTEST_SKIP() << "no gradient flows";

  Session session(graph);
  const auto expected =
      session.make_callable({inputs.begin(), inputs.end()}, {fetches.begin(), fetches.end()})(values);
  std::string trouble;
  const auto step = make_step_function(inputs, fetches, shapes, &trouble);
  ASSERT_TRUE(step) << trouble;
  const Function& head = step->head;
  Session other(*head.graph);
  const auto results = other.make_callable({head.inputs.begin(), head.inputs.end()},
                                           {head.outputs.begin(), head.outputs.end()})(values);
  bool by_rules = true;
  for (const Node* node : head.calls()) by_rules = by_rules && node->kind() != NodeKind::kGradients;
  RecordProperty("by_rules", by_rules);
  const CompiledStep compiled =
      compile_step(session, {inputs.begin(), inputs.end()}, {fetches.begin(), fetches.end()});
  const auto compiled_results = compiled(values);
  EXPECT_TRUE(compiled.is_compiled()) << compiled.describe();
  for (size_t i = 0; i < fetches.size(); ++i) {
    for (const at::Tensor& result : {results[step->from_head.at(fetches[i])], compiled_results[i]}) {
      ASSERT_EQ(result.sizes(), expected[i].sizes()) << fetches[i].name();
      EXPECT_EQ(result.scalar_type(), expected[i].scalar_type()) << fetches[i].name();
      EXPECT_TRUE(at::allclose(result, expected[i], /*rtol=*/1e-5, /*atol=*/1e-6))
          << fetches[i].name() << "\n"
          << result << "\nexpected\n"
          << expected[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Derivatives, testing::ValuesIn(test::cases_where(is_checked)),
                         [](const auto& info) { return case_name(info.param); });

}  // namespace
}  // namespace belfry
