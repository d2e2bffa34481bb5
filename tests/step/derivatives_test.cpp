// The derivative rules: what differentiate() adds as nodes, run by a session and compiled, against ATen's
// autograd, for every case of the table of operators.

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/ops/ops.h"
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

/// The graph of one case: its outputs, each times numbers of its own, added up to a loss.
struct Differentiated {
  Graph graph;
  std::vector<at::Tensor> values;
  std::vector<Tensor> inputs, xs, fetches;

  void add_input(const at::Tensor& value, bool differentiable) {
    const GraphScope as_default(graph);
    inputs.push_back(
        placeholder(fmt::format("x{}", values.size()), value.sizes().vec(), value.scalar_type()));
    values.push_back(value);
    if (differentiable && value.is_floating_point()) xs.push_back(inputs.back());
  }

  /// The loss and its gradients become the fetches; none where no gradient flows.
  void add_outputs(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& build) {
    const GraphScope as_default(graph);
    Tensor loss;
    int seed = 10;
    for (const Tensor& output : build(inputs)) {
      if (!c10::isFloatingType(output.dtype())) continue;
      at::manual_seed(++seed);
      const Tensor weighted =
          sum(output * constant(at::rand(output.shape(), at::kFloat).to(output.dtype()) + 0.5));
      loss = loss.defined() ? loss + weighted : weighted;
    }
    if (!loss.defined() || xs.empty()) return;
    fetches = {loss};
    for (const Tensor& g : gradients(loss, xs)) {
      if (g.defined()) fetches.push_back(g);
    }
    if (fetches.size() == 1) fetches.clear();
  }

  std::vector<Fetch> feeds() const { return {inputs.begin(), inputs.end()}; }
  std::vector<Fetch> wanted() const { return {fetches.begin(), fetches.end()}; }
};

void expect_close(const std::vector<at::Tensor>& results, const std::vector<at::Tensor>& expected,
                  const char* who) {
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(results[i].sizes(), expected[i].sizes()) << who << " " << i;
    EXPECT_EQ(results[i].scalar_type(), expected[i].scalar_type()) << who << " " << i;
    EXPECT_TRUE(at::allclose(results[i], expected[i], /*rtol=*/1e-5, /*atol=*/1e-6, /*equal_nan=*/true))
        << who << " " << i << "\n"
        << results[i] << "\nexpected\n"
        << expected[i];
  }
}

/// The nodes that differentiate() adds, and the compiled step, against the session's autograd.
void expect_autograd(Differentiated& d) {
  Session session(d.graph);
  const auto expected = session.make_callable(d.feeds(), d.wanted())(d.values);
  std::vector<Shape> shapes;
  for (const at::Tensor& value : d.values) shapes.push_back(value.sizes().vec());
  std::string trouble;
  const auto step = make_step_function(d.inputs, d.fetches, shapes, &trouble);
  ASSERT_TRUE(step) << trouble;
  const Function& head = step->head;
  for (const Node* node : head.calls())
    EXPECT_NE(node->kind(), NodeKind::kGradients) << describe(*node) << " has no rule";
  Session other(*head.graph);
  const auto by_nodes = other.make_callable({head.inputs.begin(), head.inputs.end()},
                                            {head.outputs.begin(), head.outputs.end()})(d.values);
  std::vector<at::Tensor> results;
  for (const Tensor& fetch : d.fetches) results.push_back(by_nodes[step->from_head.at(fetch)]);
  expect_close(results, expected, "nodes");
  const CompiledStep compiled = compile_step(session, d.feeds(), d.wanted());
  expect_close(compiled(d.values), expected, "compiled");
  EXPECT_TRUE(compiled.is_compiled()) << compiled.describe();
}

class Derivatives : public testing::TestWithParam<size_t> {};

TEST_P(Derivatives, AreThoseOfAutograd) {
  const OpCase& c = test::op_cases()[GetParam()];
  Differentiated d;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    d.add_input(c.inputs[i].value(static_cast<int>(i)), c.inputs[i].differentiable);
  d.add_outputs(c.build);
  if (d.fetches.empty()) GTEST_SKIP() << "no gradient flows";
  expect_autograd(d);
}

INSTANTIATE_TEST_SUITE_P(Ops, Derivatives, testing::ValuesIn(test::cases_where(is_checked)),
                         [](const auto& info) { return case_name(info.param); });

// Kinks, limits, equal values, and arguments that the table has not.

using In = std::vector<Tensor>;

struct Edge {
  std::string name;
  std::vector<std::vector<double>> values;  ///< of each input, in `shape` where that is not a vector
  std::function<In(const In&)> build;
  Shape shape = {};
};

void PrintTo(const Edge& edge, std::ostream* stream) {
  *stream << edge.name;
}

std::vector<Edge> edges() {
  const std::vector<double> around = {-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 7}, zeros(6, 0.0);
  const double nan = std::nan(""), infinity = INFINITY;
  const auto one = [&](const char* name, Tensor (*f)(const Tensor&, const std::string&)) {
    return Edge{name, {around}, [f](const In& in) { return In{f(in[0], "")}; }};
  };
  std::vector<Edge> all = {one("relu", relu),
                           one("relu6", relu6),
                           one("elu", elu),
                           one("selu", selu),
                           one("hardswish", hardswish),
                           one("softsign", softsign),
                           one("abs", abs),
                           one("log_sigmoid", log_sigmoid),
                           one("tan", tan),
                           one("erf", erf)};
  const auto add = [&](const char* name, std::vector<std::vector<double>> values,
                       std::function<In(const In&)> build, Shape shape = {}) {
    all.push_back({name, std::move(values), std::move(build), std::move(shape)});
  };
  const std::vector<double> a = {1, 2, 3, -1, 0, nan, 2}, b = {1, 3, 2, -1, 0, 1, nan};
  add("extremes_of_equals", {a, b}, [](const In& in) {
    return In{maximum(in[0], in[1]), minimum(in[0], in[1])};
  });
  add("limits", {{-1, -0.5, 0, 1, 2, nan, infinity}}, [](const In& in) {
    return In{clip_by_value(in[0], -0.5, 1.0), clip_by_value(in[0], 2.0, 1.0), maximum(in[0], 1.0),
              minimum(in[0], -0.5), call("aten::clamp", {in[0]}, {{"min", 0.0}})};
  });
  add("shared_extremes", {{1, 3, 3, 2, 2, 2, 3, 1}},
      [](const In& in) {
        return In{max(in[0]), min(in[0]), max(in[0], 1), min(in[0], {0}, {.keep_dims = true})};
      },
      {2, 4});
  add("extreme_of_nan", {{1, nan, 3, 2}}, [](const In& in) { return In{max(in[0])}; });
  add("powers", {{0, 0, 0, -2, -2, 2, 0, 1}, {0, 1, 2, 2, 3, 0, 0.5, 1}}, [](const In& in) {
    return In{pow(in[0], in[1]), pow(in[0], 0),   pow(in[0], 1),
              pow(in[0], 2),     pow(0.0, in[1]), pow(1.0, in[1])};
  });
  add("prelu", {{-1, 0, 2, nan}, {0.5, 0.5, 0.5, 0.5}}, [](const In& in) { return In{prelu(in[0], in[1])}; });
  add("products_with_zeros", {{0, 2, 3, 0, 4, 0, 1, 2, 3}},
      [](const In& in) {
        return In{prod(in[0]), prod(in[0], 1), prod(in[0], {0}, {.keep_dims = true}), cumprod(in[0], 1)};
      },
      {3, 3});
  add("norms_of_zeros", {zeros},
      [](const In& in) {
        return In{norm(in[0]),          norm(in[0], 1),           stddev(in[0]),
                  global_norm({in[0]}), clip_by_norm(in[0], 0.5), l2_normalize(in[0], 1)};
      },
      {2, 3});
  add("norms_at_limits", {{3, 4, 0, 0}},
      [](const In& in) {
        return In{clip_by_norm(in[0], 5.0), l2_normalize(in[0], 1, 25.0), l2_normalize(in[0], 1, 26.0)};
      },
      {1, 4});
  add("equal_values_sorted", {{2, 1, 2, 1, 2, 2}},
      [](const In& in) {
        return In{sort(in[0]), sort(in[0], {.axis = 0, .descending = true}), topk(in[0], 2).first};
      },
      {2, 3});
  add("whole_quotients", {{4, -4, 5, 0, 1}, {2, 2, -2, 3, 0.1}}, [](const In& in) {
    return In{floor_mod(in[0], in[1]), floor_mod(in[0], 2.0)};
  });
  add("angles", {{0, 0, 1, -1, 0}, {1, -1, 0, 0, 0}}, [](const In& in) { return In{atan2(in[0], in[1])}; });
  add("edges_of_domains", {{-1, 0, 1}}, [](const In& in) {
    return In{asin(in[0]), acos(in[0]), atanh(in[0]), acosh(in[0]), asinh(in[0])};
  });
  add("differences_at_kinks", {{1, 2, 3, 4}, {1, 1.5, 2, 5}}, [](const In& in) {
    return In{absolute_difference(in[0], in[1]), huber_loss(in[0], in[1], 0.5), psnr(in[0], in[1])};
  });
  add("reduced_losses", {{1, 2, 3, 4}, {0, 1, 1, 0}}, [](const In& in) {
    In losses;
    for (const int64_t reduction : {0, 1, 2}) {
      for (const char* op : {"aten::mse_loss", "aten::l1_loss", "aten::huber_loss"})
        losses.push_back(call(op, in, {{"reduction", reduction}}));
      losses.push_back(call("aten::binary_cross_entropy_with_logits",
                            {in[0], in[1], constant(2.0, kFloat64), constant(3.0, kFloat64)},
                            {{"reduction", reduction}}));
    }
    return losses;
  });
  add("losses_that_broadcast", {{1, 2, 3, 4}}, [](const In& in) {
    const Tensor column = reshape(in[0], {4, 1});
    return In{mean_squared_error(in[0], column * 2.0), absolute_difference(column * 2.0, in[0])};
  });
  add("unbiased_variance", {{1, 2, 4, 8, 8, 8}},
      [](const In& in) {
        const auto both = moments(in[0], 1);
        return In{call("aten::var.correction", {in[0]}, {{"dim", {1}}}), both.first, both.second,
                  variance(in[0], 0)};
      },
      {2, 3});
  add("repeated_rows", {{1, 2, 3, 4, 5, 6}},
      [](const In& in) {
        const Tensor rows = constant(std::vector<int64_t>{1, 1, 0}, {3});
        return In{gather(in[0], rows, 0), gather(in[0], rows, 1), embedding_lookup(in[0], rows),
                  gather_nd(in[0], reshape(rows, {3, 1}))};
      },
      {2, 3});
  add("mirrors_of_all_sizes", {{1, 2, 3, 4, 5, 6}},
      [](const In& in) {
        return In{pad(in[0], {{2, 2}, {3, 0}}, {.mode = PadMode::kSymmetric}),
                  pad(in[0], {{1, 1}, {0, 2}}, {.mode = PadMode::kReflect})};
      },
      {2, 3});
  add("contractions", {{1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1}},
      [](const In& in) {
        return In{einsum("ij,kj->ik", in),
                  einsum("ij,kj", in),
                  einsum("ij,kl->i", in),
                  einsum("...j,kj->...k", in),
                  einsum("ij,ij->", in),
                  einsum("i...,j...->ij", in),
                  einsum("ij->ji", {in[0]}),
                  einsum("ij,kj,kl->il", {in[0], in[1], in[1]}),
                  einsum("ij,j->i", {in[0], reshape(sum(in[1]), {1})}),
                  tensordot(in[0], in[1], {0, 1}, {0, 1})};
      },
      {2, 3});
  add("vectors", {{1, 2, 3}, {4, 5, 6}}, [](const In& in) {
    const Tensor matrix = reshape(in[1], {3, 1}) * in[0], batch = expand_dims(matrix, 0);
    return In{matmul(in[0], in[1]),
              matmul(matrix, in[0]),
              matmul(in[0], matrix),
              matmul(batch, in[0]),
              matmul(in[0], batch),
              matmul(matrix, batch),
              call("aten::addmm", {matrix, matrix, matrix}, {{"alpha", 2}, {"beta", 3}})};
  });
  add("attention", {{1, 2, -3, 4, 5, -6, 0, 2}, {6, 5, -4, 3, 2, 1, 0.5, -1}},
      [](const In& in) {
        const auto mask = constant(std::vector<double>{0, -1, 2, -INFINITY}, {2, 2}, kFloat64);
        const auto allowed = constant(at::tensor({0, 0, 1, 0}).reshape({2, 2}).to(at::kBool));
        const Tensor learned = slice(reshape(in[1], {4, 2}), {0, 0}, {2, 2});
        In results;
        for (const Tensor& m : {Tensor(), mask, allowed, learned})
          results.push_back(scaled_dot_product_attention(in[0], in[1], in[0], {.mask = m, .scale = 0.3}));
        const Tensor three = reshape(in[0], {2, 2, 2});
        results.push_back(scaled_dot_product_attention(three, three, three, {.is_causal = true}));
        return results;
      },
      {1, 2, 2, 2});
  return all;
}

class DerivativesAtEdges : public testing::TestWithParam<Edge> {};

TEST_P(DerivativesAtEdges, AreThoseOfAutograd) {
  const Edge& edge = GetParam();
  Differentiated d;
  for (const auto& values : edge.values) {
    const at::Tensor value = at::tensor(values, at::kDouble);
    d.add_input(edge.shape.empty() ? value : value.reshape(edge.shape), /*differentiable=*/true);
  }
  d.add_outputs(edge.build);
  expect_autograd(d);
}

INSTANTIATE_TEST_SUITE_P(All, DerivativesAtEdges, testing::ValuesIn(edges()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace belfry
