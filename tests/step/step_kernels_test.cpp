// The kernels that steps have in float32, against the session's autograd, at sizes that leave rests of
// vectors.

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"

namespace belfry {
namespace {

using In = std::vector<Tensor>;
using Build = std::function<Tensor(const In&)>;

/// A loss of f(x...), which weighs each element otherwise, and its gradients.
class Kernels : public testing::Test {
 protected:
  void SetUp() override { at::manual_seed(7); }

  /// Runs both; gives what the compiled step runs.
  std::string expect_same(const std::vector<at::Tensor>& values, const Build& build,
                          double tolerance = 1e-5) {
    Graph graph;
    const GraphScope as_default(graph);
    In inputs, xs;
    for (const at::Tensor& value : values) {
      inputs.push_back(
          placeholder(fmt::format("x{}", inputs.size()), value.sizes().vec(), value.scalar_type()));
      if (value.is_floating_point()) xs.push_back(inputs.back());
    }
    const Tensor y = build(inputs);
    std::vector<Fetch> fetches = {y};
    for (const Tensor& g : gradients(sum(y * constant(at::randn(y.shape()))), xs)) fetches.push_back(g);
    Session session(graph);
    const std::vector<Fetch> feeds(inputs.begin(), inputs.end());
    const auto expected = session.make_callable(feeds, fetches)(values);
    const CompiledStep step = compile_step(session, feeds, fetches);
    const auto results = step(values);
    EXPECT_TRUE(step.is_compiled()) << step.describe();
    for (size_t i = 0; i < fetches.size(); ++i) {
      EXPECT_TRUE(at::allclose(results[i], expected[i], tolerance, tolerance, /*equal_nan=*/true))
          << "fetch " << i << ", " << results[i].sub(expected[i]).abs().max() << "\n"
          << step.describe();
    }
    std::string kernels;
    for (const ProfiledStep& part : step.profile(values)) kernels += part.kernel + "\n";
    return kernels;
  }

  static void expect_has(const std::string& kernels, const std::string& wanted) {
    EXPECT_NE(kernels.find(wanted), std::string::npos) << wanted << " in\n" << kernels;
  }
};

TEST_F(Kernels, OfLayerNormAreThoseOfAutograd) {
  for (const int64_t features : {1, 7, 16, 39, 128}) {
    const auto kernels = expect_same(
        {at::randn({13, 3, features}), at::rand({features}), at::rand({features})},
        [](const In& in) { return layer_norm(in[0], in[1], in[2]); }, 1e-4);
    expect_has(kernels, "layer_norm backward");
  }
  expect_same(
      {at::randn({5, 39})}, [](const In& in) { return layer_norm(in[0], Tensor(), Tensor()); }, 1e-4);
  expect_same(
      {at::randn({2, 5, 3, 13}), at::rand({3, 13}), at::rand({3, 13})},
      [](const In& in) { return layer_norm(in[0], in[1], in[2]); }, 1e-4);
}

TEST_F(Kernels, OfGroupNormAreThoseOfAutograd) {
  for (const int64_t groups : {1, 3, 13}) {
    const auto kernels = expect_same(
        {at::randn({3, 5, 7, 39}), at::rand({39}), at::rand({39})},
        [groups](const In& in) { return group_norm(in[0], in[1], in[2], {.groups = groups}); }, 1e-4);
    expect_has(kernels, "group_norm backward");
  }
  expect_same(
      {at::randn({3, 6, 5, 7}), at::rand({6}), at::rand({6})},
      [](const In& in) { return group_norm(in[0], in[1], in[2], {.groups = 2, .data_format = "NCHW"}); },
      1e-4);
}

/// Where sums of float32 would lose digits: values far from zero, and many rows for one scale.
TEST_F(Kernels, OfLayerNormKeepDigits) {
  Graph graph;
  const GraphScope as_default(graph);
  const Tensor x = placeholder("x", {20000, 8}), gamma = placeholder("gamma", {8});
  const Tensor loss = sum(layer_norm(x, gamma, Tensor()));
  const auto by = gradients(loss, {x, gamma});
  Session session(graph);
  const CompiledStep step = compile_step(session, {x, gamma}, {by[0], by[1]});
  const at::Tensor values = at::randn({20000, 8}) + 1000, scale = at::rand({8});
  const auto results = step({values, scale});
  const at::Tensor wide = values.to(at::kDouble), centred = wide - wide.mean(-1, true);
  const at::Tensor normalized = centred / (centred.square().mean(-1, true) + 1e-5).sqrt();
  EXPECT_TRUE(at::allclose(results[1].to(at::kDouble), normalized.sum(0), 1e-6, 1e-3))
      << results[1] << normalized.sum(0);
}

TEST_F(Kernels, OfAttentionAreThoseOfAutograd) {
  const std::vector<at::Tensor> qkv = {at::randn({2, 3, 13, 8}), at::randn({2, 3, 19, 8}),
                                       at::randn({2, 3, 19, 8})};
  const auto kernels =
      expect_same(qkv, [](const In& in) { return scaled_dot_product_attention(in[0], in[1], in[2]); });
  expect_has(kernels, "softmax\n");
  expect_has(kernels, "softmax backward");
  expect_same(qkv, [](const In& in) {
    return scaled_dot_product_attention(in[0], in[1], in[2], {.is_causal = true});
  });
}

TEST_F(Kernels, OfAttentionTakeMasks) {
  std::vector<at::Tensor> values = {at::randn({2, 3, 13, 8}), at::randn({2, 3, 19, 8}),
                                    at::randn({2, 3, 19, 8}), at::randn({13, 19})};
  const auto masked = [](const In& in) {
    return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = in[3]});
  };
  expect_has(expect_same(values, masked), "softmax\n");
  values[3] = at::rand({2, 1, 1, 19}).gt(0.4);
  expect_has(expect_same(values, masked), "softmax\n");
  values[3] = at::rand({2, 1, 13, 19}).gt(0.4);
  values[3][0][0][2].fill_(false);  // a row with nothing to attend to
  expect_has(expect_same(values, masked), "softmax\n");
  values[3] = at::randn({13, 1});  // which ATen adds
  expect_same(values, masked);
}

TEST_F(Kernels, OfLargeAttentionKeepNoWeights) {
  const at::Tensor x = at::randn({1, 2, 3000, 4});
  const auto kernels = expect_same(
      {x, at::randn({1, 2, 3000, 4}), at::randn({1, 2, 3000, 4})},
      [](const In& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.is_causal = true}); });
  expect_has(kernels, "belfry::attention_backprop");
}

TEST_F(Kernels, OfProductsOfActivationsAreThoseOfAutograd) {
  const auto product = [](const In& in) { return matmul(in[0], in[1]); };
  expect_has(expect_same({at::randn({3, 13, 39}), at::randn({3, 39, 7})}, product), "onednn brg");
  expect_same({at::randn({2, 3, 13, 39}), at::randn({3, 39, 7})}, product);
  expect_same({at::randn({2, 1, 13, 5}), at::randn({1, 3, 5, 7})}, product);
  expect_same({at::randn({13, 5}), at::randn({3, 5, 1})}, product);
  const auto heads_apart = [](const In& in) {
    const auto parts = unstack(transpose(reshape(in[0], {2, 13, 2, 3, 8}), {2, 0, 3, 1, 4}), 0);
    return matmul(parts[0], parts[1], {.transpose_b = true});
  };
  expect_has(expect_same({at::randn({2, 13, 48})}, heads_apart), "onednn brg");
}

/// Of many rows by one matrix the gradient is a forward product with the transposed matrix.
TEST_F(Kernels, OfGradientsByManyRowsAreThoseOfAutograd) {
  Graph graph;
  const GraphScope as_default(graph);
  const Variable weights = get_variable("W", {39, 70});
  for (const int64_t rows : {13, 600}) {
    const Tensor x = placeholder(fmt::format("x{}", rows), {rows, 39});
    const auto by_x = gradients(sum(matmul(x, weights) * constant(at::randn({rows, 70}))), {x})[0];
    Session session(graph);
    session.initialize_variables();
    const at::Tensor value = at::randn({rows, 39});
    const CompiledStep step = compile_step(session, {x}, {by_x});
    EXPECT_TRUE(at::allclose(step({value})[0], session.run(by_x, {{x, value}}), 1e-4, 1e-4)) << rows;
    EXPECT_NE(step.describe().find(rows < 512 ? "brgemm_bwd_d:" : "onednn brgemm:"), std::string::npos)
        << step.describe();
  }
}

TEST_F(Kernels, OfElementsAreThoseOfAutograd) {
  const at::Tensor x = at::randn({13, 39}) * 3, above = at::rand({13, 39}) + 0.1;
  const auto of = [&](const at::Tensor& value, Tensor (*f)(const Tensor&, const std::string&)) {
    return expect_same(
        {value}, [f](const In& in) { return f(in[0], ""); }, 2e-5);
  };
  expect_has(of(x, gelu), "gelu backward");
  expect_has(of(x, silu), "silu backward");
  expect_has(of(x, sigmoid), "sigmoid backward");
  expect_has(of(x, tanh), "tanh backward");
  expect_has(of(x, relu), "relu backward");
  expect_has(of(x, exp), "exp");
  expect_has(of(x, square), "square");
  expect_has(of(above, reciprocal), "reciprocal");
  of(x, abs);
  of(x * 30, gelu);
  of(x * 30, silu);
}

TEST_F(Kernels, OfCrossEntropyAreThoseOfAutograd) {
  const auto loss = [](const In& in) { return sparse_softmax_cross_entropy(in[0], in[1]); };
  for (const int64_t classes : {1, 2, 10, 39, 1001}) {
    const at::Tensor labels = at::randint(classes, {13}, at::kLong);
    const auto kernels = expect_same({at::randn({13, classes}), labels}, loss);
    expect_has(kernels, "softmax cross entropy\n");
    expect_has(kernels, "softmax cross entropy backward\n");
    expect_has(expect_same({at::randn({13, classes}) * 60, labels.to(at::kInt)}, loss), "cross entropy\n");
  }
  expect_same({at::randn({2, 3, 5, 7}), at::randint(7, {2, 3, 5}, at::kLong)}, loss);
  expect_same({at::randn({3, 50000}), at::randint(50000, {3}, at::kLong)}, loss);
}

TEST_F(Kernels, OfSoftmaxTakeLargeNumbers) {
  const at::Tensor x = at::randn({7, 39}) * 60;
  expect_same({x}, [](const In& in) { return softmax(in[0]); });
}

}  // namespace
}  // namespace belfry
