// Each shape rule (graph/internal/shape_rules.h) against the operator that it stands for.

#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

struct Case {
  std::string op;
  std::vector<at::Tensor> inputs;  // undefined: none
  Attributes attributes;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.op;
}

at::Tensor f(at::IntArrayRef sizes) {
  return at::rand(sizes);
}
at::Tensor ids(at::IntArrayRef sizes) {
  return at::zeros(sizes, at::kLong);
}
at::Tensor truths(at::IntArrayRef sizes) {
  return at::ones(sizes, at::kBool);
}
const at::Tensor none;

Attributes convolution(std::vector<int64_t> stride, bool transposed, int64_t groups) {
  const std::vector<int64_t> zeros(stride.size(), 0), ones(stride.size(), 1);
  return {{"stride", stride},         {"padding", ones},         {"dilation", ones},
          {"transposed", transposed}, {"output_padding", zeros}, {"groups", groups}};
}

std::vector<Case> convolutions() {
  return {
      {"aten::convolution", {f({2, 4, 9, 8}), f({6, 2, 3, 3}), f({6})}, convolution({2, 1}, false, 2)},
      {"aten::convolution", {f({2, 4, 9}), f({4, 3, 3}), none}, convolution({2}, true, 1)},
      {"aten::conv1d", {f({2, 4, 9}), f({5, 4, 3})}, {{"stride", 2}, {"padding", 1}}},
      {"aten::conv1d", {f({4, 9}), f({5, 4, 3})}, {}},
      {"aten::conv2d", {f({2, 4, 9, 7}), f({6, 4, 3, 2}), f({6})}, {{"dilation", 2}, {"padding", {2, 0}}}},
      {"aten::conv2d.padding", {f({2, 4, 9, 7}), f({6, 4, 3, 2})}, {{"padding", "same"}}},
      {"aten::conv2d.padding", {f({2, 4, 9, 7}), f({6, 4, 3, 2})}, {{"padding", "valid"}, {"stride", 2}}},
      {"aten::conv3d", {f({1, 2, 5, 5, 5}), f({3, 2, 2, 3, 1})}, {}},
  };
}

std::vector<Case> normalizations() {
  const Attributes batch = {{"training", true}, {"momentum", 0.1}, {"eps", 1e-5}};
  const Attributes inference = {{"training", false}, {"momentum", 0.1}, {"eps", 1e-5}};
  Attributes any = batch;
  any.emplace_back("cudnn_enabled", false);
  return {
      {"aten::batch_norm", {f({4, 3, 5}), f({3}), f({3}), f({3}), f({3})}, any},
      {"aten::native_batch_norm", {f({4, 3, 5}), f({3}), f({3}), none, none}, batch},
      {"aten::native_batch_norm", {f({4, 3, 5}), f({3}), f({3}), f({3}), f({3})}, inference},
      {"aten::layer_norm", {f({2, 3, 5}), f({3, 5}), f({3, 5})}, {{"normalized_shape", {3, 5}}}},
      {"aten::native_layer_norm", {f({2, 3, 5}), f({5}), none}, {{"normalized_shape", {5}}, {"eps", 1e-5}}},
      {"aten::group_norm", {f({2, 6, 5}), f({6}), f({6})}, {{"num_groups", 3}}},
      {"aten::native_group_norm",
       {f({2, 6, 5}), f({6}), f({6})},
       {{"N", 2}, {"C", 6}, {"HxW", 5}, {"group", 3}, {"eps", 1e-5}}},
  };
}

std::vector<Case> elementwise() {
  return {
      {"aten::dropout", {f({3, 4})}, {{"p", 0.5}, {"train", true}}},
      {"aten::native_dropout", {f({3, 4})}, {{"p", 0.5}, {"train", true}}},
      {"aten::prelu", {f({2, 3, 4}), f({3})}, {}},
      {"aten::where.self", {truths({3, 1}), f({4}), ids({3, 4})}, {}},
      {"aten::where.ScalarOther", {truths({3, 1}), f({4})}, {{"other", 1}}},
      {"aten::where.ScalarSelf", {truths({3, 1}), ids({4})}, {{"self", 1.5}}},
      {"aten::where.Scalar", {truths({3, 1})}, {{"self", 1.5}, {"other", 2}}},
      {"aten::where", {truths({3, 2})}, {}},
      {"aten::abs", {f({3, 4})}, {}},
      {"aten::abs", {f({3, 4}).to(at::kComplexDouble)}, {}},
      {"aten::relu", {ids({3, 4})}, {}},
      {"aten::relu6", {f({3, 4})}, {}},
      {"aten::hardswish", {f({3, 4})}, {}},
      {"aten::log_sigmoid", {f({3, 4})}, {}},
      {"aten::flip", {f({3, 4})}, {{"dims", {0, -1}}}},
      {"aten::isnan", {f({3, 4})}, {}},
      {"aten::isinf", {ids({3, 4})}, {}},
      {"aten::isfinite", {f({3, 4})}, {}},
      {"aten::logical_not", {f({3, 4})}, {}},
      {"aten::logical_and", {f({3, 1}), truths({4})}, {}},
      {"aten::logical_or", {f({3, 1}), truths({4})}, {}},
      {"aten::logical_xor", {f({3, 1}), truths({4})}, {}},
      {"aten::l1_loss", {f({3, 4}), f({4})}, {{"reduction", 0}}},
      {"aten::l1_loss", {f({3, 4}), f({3, 4}).to(at::kDouble)}, {{"reduction", 1}}},
      {"aten::huber_loss", {f({3, 4}), f({4})}, {{"reduction", 0}}},
      {"aten::huber_loss", {f({3, 4}), f({3, 4})}, {{"reduction", 2}}},
      {"aten::nonzero", {truths({3, 2})}, {}},
      {"aten::masked_select", {f({3, 1}), truths({4})}, {}},
      {"aten::floor_divide", {f({3, 1}), f({4})}, {}},
      {"aten::floor_divide", {truths({3, 1}).to(at::kInt), truths({4}).to(at::kLong)}, {}},
      {"aten::floor_divide.Scalar", {truths({3, 1}).to(at::kInt)}, {{"other", 1.5}}},
      {"aten::binary_cross_entropy_with_logits", {f({3, 4}), f({3, 4})}, {{"reduction", 0}}},
      {"aten::binary_cross_entropy_with_logits", {f({3, 4}), f({3, 4}), f({4})}, {{"reduction", 1}}},
  };
}

std::vector<Case> reductions() {
  std::vector<Case> cases = {
      {"aten::logsumexp", {f({3, 4, 5})}, {{"dim", {0, -1}}, {"keepdim", true}}},
      {"aten::logsumexp", {ids({3, 4})}, {{"dim", {1}}}},
      {"aten::logsumexp", {f({})}, {{"dim", {0}}}},
      {"aten::var.correction", {f({})}, {{"dim", {-1}}, {"correction", 0}}},
      {"aten::bincount", {ids({7})}, {{"minlength", 3}}},
      {"aten::bincount", {ids({7}), f({7})}, {}},
      {"aten::bincount", {ids({7}), ids({7})}, {}},
  };
  for (const std::string op : {"aten::std", "aten::var", "aten::std_mean", "aten::var_mean"}) {
    cases.push_back({op, {f({3, 4, 5})}, {{"unbiased", false}}});
    cases.push_back({op + ".dim", {f({3, 4, 5})}, {{"dim", {1}}, {"keepdim", true}}});
    cases.push_back({op + ".correction", {f({3, 4, 5})}, {{"dim", {0, 2}}, {"correction", 0}}});
  }
  return cases;
}

std::vector<Case> picking() {
  return {
      {"aten::index_select", {f({3, 4, 5}), ids({7})}, {{"dim", -2}}},
      {"aten::embedding", {f({9, 4}), ids({2, 3})}, {}},
      {"aten::multinomial", {f({3, 6})}, {{"num_samples", 4}}},
      {"aten::multinomial", {f({6})}, {{"num_samples", 2}}},
      {"aten::scaled_dot_product_attention", {f({2, 3, 5, 8}), f({2, 3, 7, 8}), f({2, 3, 7, 6})}, {}},
      {"aten::scaled_dot_product_attention",
       {f({2, 6, 5, 8}), f({2, 3, 7, 8}), f({2, 3, 7, 6})},
       {{"enable_gqa", true}}},
  };
}

std::vector<Case> images() {
  return {
      {"aten::reflection_pad1d", {f({2, 3, 9})}, {{"padding", {2, 1}}}},
      {"aten::reflection_pad2d", {f({2, 3, 9, 8})}, {{"padding", {2, 1, 0, 3}}}},
      {"aten::reflection_pad3d", {f({1, 2, 5, 6, 7})}, {{"padding", {1, 0, 2, 1, 0, 3}}}},
      {"aten::grid_sampler",
       {f({2, 3, 9, 8}), f({2, 4, 5, 2})},
       {{"interpolation_mode", 0}, {"padding_mode", 0}, {"align_corners", false}}},
      {"aten::grid_sampler_2d",
       {f({2, 3, 9, 8}), f({2, 4, 5, 2})},
       {{"interpolation_mode", 0}, {"padding_mode", 0}, {"align_corners", false}}},
      {"aten::grid_sampler_3d",
       {f({2, 3, 5, 6, 7}), f({2, 4, 5, 2, 3})},
       {{"interpolation_mode", 0}, {"padding_mode", 0}, {"align_corners", false}}},
      {"aten::im2col",
       {f({2, 3, 9, 8})},
       {{"kernel_size", {3, 2}}, {"dilation", {1, 2}}, {"padding", {1, 0}}, {"stride", {2, 1}}}},
  };
}

std::vector<Case> products() {
  return {
      {"aten::tensordot", {f({3, 2, 4}), f({2, 4, 5})}, {{"dims_self", {1, 2}}, {"dims_other", {0, 1}}}},
      {"aten::tensordot", {f({3, 2, 4}), f({5, 4, 3})}, {{"dims_self", {-1, 0}}, {"dims_other", {1, -1}}}},
      {"aten::tensordot", {f({5}), f({5})}, {{"dims_self", {0}}, {"dims_other", {0}}}},
      {"aten::tensordot", {f({3, 1}), f({5, 2})}, {{"dims_self", {1}}, {"dims_other", {0}}}},
  };
}

std::vector<Case> makers() {
  return {
      {"aten::rand", {}, {{"size", {2, 3}}}},
      {"aten::rand.generator", {}, {{"size", {2, 3}}, {"dtype", kFloat64}}},
      {"aten::randn", {}, {{"size", std::vector<int64_t>()}, {"dtype", kBFloat16}}},
      {"aten::randn.generator", {}, {{"size", {4}}}},
  };
}

std::vector<Case> reshapes() {
  return {
      {"aten::reshape", {f({2, 6})}, {{"shape", {3, -1}}}},
      {"aten::reshape", {f({2, 6})}, {{"shape", {3, 4}}}},
      {"aten::view", {f({2, 6})}, {{"size", {-1}}}},
      {"aten::_unsafe_view", {f({2, 6})}, {{"size", {4, 3}}}},
  };
}

class ShapeRuleTest : public testing::TestWithParam<Case> {
 protected:
  /// Checks the operator applied to placeholders of `shape_of(input)` against its results.
  template <typename F>
  void check(F shape_of) {
    const Case& c = GetParam();
    Graph graph;
    GraphScope as_default(graph);
    std::vector<Tensor> inputs;
    Feeds feeds;
    for (const at::Tensor& value : c.inputs) {
      inputs.push_back(value.defined() ? placeholder("x", shape_of(value), value.scalar_type()) : Tensor());
      if (value.defined()) feeds.emplace_back(inputs.back(), value);
    }
    const Node& node = graph.add(c.op, inputs, c.attributes);
    for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i) {
      const at::Tensor real = Session(graph).run(node.output(i), feeds);
      EXPECT_EQ(to_string(node.outputs()[i].dtype), to_string(real.scalar_type())) << c.op << " output " << i;
      EXPECT_TRUE(is_compatible_with(node.outputs()[i].shape, real.sizes().vec()))
          << c.op << " output " << i << ": " << to_string(node.outputs()[i].shape) << " inferred, "
          << to_string(real.sizes().vec()) << " computed";
    }
  }
};

TEST_P(ShapeRuleTest, AgreesWithTheOperator) {
  check([](const at::Tensor& value) { return value.sizes().vec(); });
}

TEST_P(ShapeRuleTest, AgreesWhereTheBatchIsDynamic) {
  if (GetParam().op == "aten::native_group_norm") GTEST_SKIP() << "takes its sizes as arguments";
  if (GetParam().inputs.empty() || GetParam().inputs[0].dim() == 0) GTEST_SKIP() << "has no batch";
  int64_t batch = GetParam().inputs[0].size(0);
  check([&](const at::Tensor& value) {
    Shape shape = value.sizes().vec();
    if (shape[0] == batch) shape[0] = kDynamic;
    return shape;
  });
}

INSTANTIATE_TEST_SUITE_P(Convolutions, ShapeRuleTest, testing::ValuesIn(convolutions()));
INSTANTIATE_TEST_SUITE_P(Normalizations, ShapeRuleTest, testing::ValuesIn(normalizations()));
INSTANTIATE_TEST_SUITE_P(Elementwise, ShapeRuleTest, testing::ValuesIn(elementwise()));
INSTANTIATE_TEST_SUITE_P(Reductions, ShapeRuleTest, testing::ValuesIn(reductions()));
INSTANTIATE_TEST_SUITE_P(Picking, ShapeRuleTest, testing::ValuesIn(picking()));
INSTANTIATE_TEST_SUITE_P(Images, ShapeRuleTest, testing::ValuesIn(images()));
INSTANTIATE_TEST_SUITE_P(Products, ShapeRuleTest, testing::ValuesIn(products()));
INSTANTIATE_TEST_SUITE_P(Makers, ShapeRuleTest, testing::ValuesIn(makers()));
INSTANTIATE_TEST_SUITE_P(Reshapes, ShapeRuleTest, testing::ValuesIn(reshapes()));

}  // namespace
}  // namespace belfry
