#include "belfry/graph/gradients.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <gtest/gtest.h>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/op_cases.h"

namespace belfry {
namespace {

using test::OpCase;

/// A case in a graph of its own, inputs as placeholders.
struct BuiltCase {
  BuiltCase(const OpCase& op, bool dynamic) {
    GraphScope as_default(graph);
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const auto& input = op.inputs[i];
      inputs.push_back(placeholder("in", dynamic ? input.declared() : input.sizes, input.dtype()));
      values.push_back(input.value(static_cast<int>(i)));
    }
    outputs = op.build(inputs);
  }

  Graph graph;
  std::vector<Tensor> inputs, outputs;
  std::vector<at::Tensor> values;
};

class OpTest : public testing::TestWithParam<size_t> {
 protected:
  const OpCase& op() const { return test::op_cases()[GetParam()]; }
};

/// A loss that no two elements of the outputs enter alike.
Tensor weighted_sum(const std::vector<Tensor>& outputs) {
  Tensor total;
  for (const Tensor& output : outputs) {
    if (!c10::isFloatingType(output.dtype())) continue;
    const Tensor flat = reshape(output, {-1});
    const Tensor weights = sin(cast(range(size(flat)), kFloat64) + 1);
    const Tensor part = sum(flat * weights);
    total = total.defined() ? total + part : part;
  }
  return total;
}

at::Tensor numeric_gradient(const Callable& loss, std::vector<at::Tensor> values, size_t which) {
  constexpr double kStep = 1e-6;
  values[which] = values[which].clone();
  at::Tensor result = at::empty_like(values[which]);
  double* x = values[which].data_ptr<double>();
  for (int64_t i = 0; i < result.numel(); ++i) {
    const double middle = x[i];
    x[i] = middle + kStep;
    const double above = loss(values)[0].item<double>();
    x[i] = middle - kStep;
    const double below = loss(values)[0].item<double>();
    x[i] = middle;
    result.data_ptr<double>()[i] = (above - below) / (2 * kStep);
  }
  return result;
}

class DifferentiableOpTest : public OpTest {};

TEST_P(DifferentiableOpTest, GradientIsTheNumericOne) {
  BuiltCase built(op(), /*dynamic=*/false);
  GraphScope as_default(built.graph);
  const Tensor loss = weighted_sum(built.outputs);
  Session session(built.graph);
  const Callable run = session.make_callable({built.inputs.begin(), built.inputs.end()}, {loss});
  for (size_t i = 0; i < built.inputs.size(); ++i) {
    if (built.inputs[i].dtype() != kFloat64 || !op().inputs[i].differentiable) continue;
    const Tensor gradient = gradients(loss, {built.inputs[i]})[0];
    ASSERT_TRUE(gradient.defined());
    const Callable gradient_run =
        session.make_callable({built.inputs.begin(), built.inputs.end()}, {gradient});
    EXPECT_TRUE(test::close(gradient_run(built.values)[0], numeric_gradient(run, built.values, i),
                            {.relative = 1e-5, .absolute = 1e-7}))
        << "by input " << i;
  }
}

TEST_P(OpTest, InferredShapesFitTheValues) {
  for (const bool dynamic : {false, true}) {
    BuiltCase built(op(), dynamic);
    Session session(built.graph);
    const Callable run = session.make_callable({built.inputs.begin(), built.inputs.end()},
                                               {built.outputs.begin(), built.outputs.end()});
    const auto results = run(built.values);
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_TRUE(is_compatible_with(built.outputs[i].shape(), results[i].sizes().vec()))
          << describe(built.outputs[i]) << " gave " << results[i].sizes();
      EXPECT_EQ(built.outputs[i].dtype(), results[i].scalar_type()) << describe(built.outputs[i]);
    }
  }
}

/// Cases whose output sizes do not depend on values.
class StaticOpTest : public OpTest {};

TEST_P(StaticOpTest, StaticInputsGiveStaticShapes) {
  BuiltCase built(op(), /*dynamic=*/false);
  for (const Tensor& output : built.outputs) {
    for (int64_t size : output.shape()) EXPECT_NE(size, kDynamic) << describe(output);
  }
}

std::string name_of(const testing::TestParamInfo<size_t>& info) {
  return test::case_name(info.param);
}
INSTANTIATE_TEST_SUITE_P(All, OpTest, testing::Range<size_t>(0, test::op_cases().size()), name_of);
INSTANTIATE_TEST_SUITE_P(All, DifferentiableOpTest, testing::ValuesIn(test::cases_where([](const OpCase& op) {
                           return op.differentiable;
                         })),
                         name_of);
INSTANTIATE_TEST_SUITE_P(All, StaticOpTest, testing::ValuesIn(test::cases_where([](const OpCase& op) {
                           return !op.depends_on_data;
                         })),
                         name_of);

TEST(FlatOps, HaveAGradientOfZeroOrNone) {
  using Unary = Tensor (*)(const Tensor&, const std::string&);
  for (Unary f : {sign, floor, ceil, round, zeros_like, ones_like, stop_gradient}) {
    Graph graph;
    GraphScope as_default(graph);
    const Tensor x = constant(std::vector<double>{-1.5, 0.3, 2});
    const Tensor gradient = gradients(sum(f(x, "y")), {x})[0];
    if (!gradient.defined()) continue;
    EXPECT_TRUE(Session(graph).run(gradient).eq(0).all().item<bool>()) << graph.tensor("y").node().op_name();
  }
}

}  // namespace
}  // namespace belfry
