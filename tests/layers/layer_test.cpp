#include "belfry/layers/layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/batch_renorm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/layer_norm.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/layers/shapes.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/layers/layer_baseline.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

at::Tensor counted(const Shape& shape) {
  return at::arange(c10::multiply_integers(shape), at::kDouble).reshape(shape);
}
/// The numbers of layer_baseline.py.
at::Tensor input_values(const Shape& shape) {
  return at::sin(counted(shape) * 0.7);
}
at::Tensor variable_values(const Variable& variable) {
  const bool is_positive = variable.name().find("variance") != std::string::npos ||
                           variable.name().find("stddev") != std::string::npos;
  return at::cos(counted(variable.shape()) * 0.3) + (is_positive ? 1.5 : 0.0);
}

using Builder = std::function<Tensor(const Tensor& x)>;

/// The layers of layer_baseline.py, by the names there.
const std::map<std::string, Builder>& builders() {
  static const std::map<std::string, Builder> map = {
      {"conv_same_odd_stride", Conv2D("layer", {.filters = 3, .kernel = 3, .strides = 2})},
      {"conv_even_kernel", Conv2D("layer", {.filters = 3, .kernel = Size2D(2, 4), .strides = Size2D(1, 2)})},
      {"conv_valid_no_bias", Conv2D("layer", {.filters = 3,
                                              .kernel = Size2D(3, 5),
                                              .padding = "VALID",
                                              .activation = relu,
                                              .use_bias = false})},
      {"conv_dilated", Conv2D("layer", {.filters = 3, .kernel = 3, .dilation = 2})},
      {"conv_groups", Conv2D("layer", {.filters = 6, .kernel = 3, .groups = 2})},
      {"conv_bn_relu", Conv2D("layer", {.filters = 3, .kernel = 3, .activation = BNReLU})},
      {"transpose_same", Conv2DTranspose("layer", {.filters = 3, .kernel = 3, .strides = 2})},
      {"transpose_valid",
       Conv2DTranspose("layer", {.filters = 3, .kernel = 4, .strides = 2, .padding = "valid"})},
      {"transpose_gaps",
       Conv2DTranspose("layer", {.filters = 3, .kernel = 2, .strides = 3, .padding = "valid"})},
      {"fully_connected", FullyConnected("layer", {.units = 3, .activation = relu})},
      {"fully_connected_no_bias", FullyConnected("layer", {.units = 2, .use_bias = false})},
      {"max_pooling_valid", MaxPooling("layer", {.pool = 2})},
      {"max_pooling_same", MaxPooling("layer", {.pool = 3, .strides = 2, .padding = "SAME"})},
      {"avg_pooling_same",
       AvgPooling("layer", {.pool = Size2D(3, 2), .strides = Size2D(2, 1), .padding = "same"})},
      {"global_avg_pooling", GlobalAvgPooling("layer")},
      {"bn_image", BatchNorm("layer")},
      {"bn_matrix", BatchNorm("layer", {.momentum = 0.7, .epsilon = 1e-3})},
      {"bn_inference", BatchNorm("layer")},
      {"bn_matrix_inference", BatchNorm("layer")},
      {"bn_frozen", BatchNorm("layer", {.training = false})},
      {"bn_no_scale", BatchNorm("layer", {.scale = false})},
      {"bn_no_center", BatchNorm("layer", {.center = false})},
      {"bn_skip", BatchNorm("layer", {.ema_update = EmaUpdate::kSkip})},
      {"bn_internal", BatchNorm("layer", {.ema_update = EmaUpdate::kInternal})},
      {"bn_axis", BatchNorm("layer", {.axis = 1})},
      {"bn_virtual", BatchNorm("layer", {.virtual_batch_size = 1})},
      {"bn_virtual_matrix", BatchNorm("layer", {.center = false, .virtual_batch_size = 3})},
      {"bn_virtual_inference", BatchNorm("layer", {.virtual_batch_size = 1})},
      {"renorm", BatchRenorm("layer", {.rmax = 1.5, .dmax = 0.3})},
      {"renorm_wide",
       [](const Tensor& x) {
         return BatchRenorm("layer", x, {.rmax = constant(9.0, x.dtype()), .dmax = constant(9.0, x.dtype())});
       }},
      {"renorm_no_scale", BatchRenorm("layer", {.rmax = 1.5, .dmax = 0.3, .scale = false})},
      {"renorm_inference", BatchRenorm("layer", {.rmax = 1.5, .dmax = 0.3})},
      {"group_norm", GroupNorm("layer", {.groups = 2})},
      {"unpooling", FixedUnPooling("layer", {.shape = 2})},
      {"unpooling_matrix",
       [](const Tensor& x) {
         const Tensor matrix = constant(std::vector<double>{0, 1, 2, 3, 4, 5}, {2, 3}, x.dtype());
         return FixedUnPooling("layer", x, {.shape = Size2D(2, 3), .unpool_mat = matrix});
       }},
      {"concat_with", [](const Tensor& x) { return identity(x | ConcatWith({x * 2, x}, 3), "layer/output"); }},
      {"layer_norm", LayerNorm("layer")},
      {"layer_norm_matrix", LayerNorm("layer", {.epsilon = 1e-3, .center = false})},
      {"instance_norm", InstanceNorm("layer")},
      {"maxout_matrix", Maxout("layer", {.units = 2})},
      {"prelu", PReLU("layer")},
      {"bn_relu", BNReLU("layer")},
      {"dropout_inference", Dropout("layer", {.rate = 0.5})},
  };
  return map;
}

/// One layer between a placeholder "x" and its output, in a tower.
class OneLayer {
 public:
  OneLayer(const test::LayerBaseline& baseline, const Builder& build, DType dtype = kFloat32)
      : scope_(graph), session_(graph) {
    x = placeholder("x", baseline.input, dtype);
    TowerContext tower("", {.is_training = baseline.training});
    output = build(x);
    updates = graph.collection(kUpdateOps);
    feeds = {{x, input_values(baseline.input).to(dtype)}};
  }

  Session& session() {
    for (const Variable& v : global_variables()) {
      if (!session_.is_initialized(v)) session_.set_value(v, variable_values(v).to(v.dtype()));
    }
    return session_;
  }

  Graph graph;
  Tensor x, output;
  std::vector<Tensor> updates;
  Feeds feeds;

 private:
  GraphScope scope_;
  Session session_;
};

class LayerTest : public testing::TestWithParam<std::string> {
 protected:
  const test::LayerBaseline& baseline() const { return test::kLayerBaselines.at(GetParam()); }
  const Builder& build() const { return builders().at(GetParam()); }
};

TEST_P(LayerTest, ComputesWhatTensorpackComputes) {
  OneLayer layer(baseline(), build());
  EXPECT_EQ(layer.output.name(), "layer/output:0");
  EXPECT_EQ(layer.output.shape(), baseline().shape);
  const at::Tensor y = layer.session().run(layer.output, layer.feeds);
  EXPECT_TRUE(test::close(y, at::tensor(baseline().output).reshape(baseline().shape), test::kSameSums));
}

TEST_P(LayerTest, HasTensorpacksVariables) {
  OneLayer layer(baseline(), build());
  EXPECT_EQ(global_variables().size(), baseline().variables.size());
  for (const auto& expected : baseline().variables) {
    const VariableRecord* record = layer.graph.find_variable(expected.name);
    ASSERT_TRUE(record) << expected.name;
    EXPECT_EQ(record->tensor.shape(), expected.shape) << expected.name;
    EXPECT_EQ(record->trainable, expected.trainable) << expected.name;
  }
}

TEST_P(LayerTest, UpdatesMovingAveragesAsTensorpackDoes) {
  OneLayer layer(baseline(), build());
  std::vector<Fetch> fetches = {layer.output};
  fetches.insert(fetches.end(), layer.updates.begin(), layer.updates.end());
  layer.session().run(fetches, layer.feeds);
  for (const auto& expected : baseline().variables) {
    if (expected.after.empty()) continue;
    const Variable variable(layer.graph.find_variable(expected.name));
    EXPECT_TRUE(test::close(layer.session().value(variable), at::tensor(expected.after), test::kSameSums))
        << expected.name;
  }
}

/// All but those that change their averages at each run, or stop gradients.
class SteadyLayerTest : public LayerTest {};

TEST_P(SteadyLayerTest, HasTheGradientsOfNumericDifferences) {
  OneLayer layer(baseline(), build(), kFloat64);
  // A sum with weights, as the plain sum of a normalised tensor has no gradient.
  const Tensor loss = sum(layer.output * constant(at::cos(counted(baseline().shape))));
  std::vector<Tensor> xs = {layer.x};
  for (const Variable& v : trainable_variables()) xs.push_back(v);
  const auto gradient_tensors = gradients(loss, xs);
  Session& session = layer.session();
  const at::Tensor image = layer.feeds[0].second;
  const double step = 1e-5;
  for (size_t i = 0; i < xs.size(); ++i) {
    const Variable variable = as_variable(xs[i]);
    const at::Tensor start = variable.defined() ? session.value(variable) : image;
    auto loss_at = [&](int64_t element, double change) {
      at::Tensor value = start.clone();
      value.view(-1)[element] += change;
      if (!variable.defined()) return session.run(loss, {{layer.x, value}}).item<double>();
      session.set_value(variable, value);
      return session.run(loss, layer.feeds).item<double>();
    };
    const at::Tensor numeric = at::empty_like(start);
    for (int64_t e = 0; e < start.numel(); ++e)
      numeric.view(-1)[e] = (loss_at(e, step) - loss_at(e, -step)) / (2 * step);
    if (variable.defined()) session.set_value(variable, start);
    EXPECT_TRUE(test::close(session.run(gradient_tensors[i], layer.feeds), numeric, test::kNumericGradient))
        << "by " << xs[i].name();
  }
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& [name, builder] : builders()) names.push_back(name);
  return names;
}
std::vector<std::string> steady_case_names() {
  std::vector<std::string> names = case_names();
  std::erase_if(names, [](const std::string& name) {
    return name == "bn_internal" || name.starts_with("bn_virtual") ||
           (name.starts_with("renorm") && name != "renorm_inference");
  });
  return names;
}
std::string name_of(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}
INSTANTIATE_TEST_SUITE_P(, LayerTest, testing::ValuesIn(case_names()), name_of);
INSTANTIATE_TEST_SUITE_P(, SteadyLayerTest, testing::ValuesIn(steady_case_names()), name_of);

class ChannelsFirstTest : public testing::TestWithParam<const char*> {
 protected:
  /// The layer in the other data format, its output back in channels_last.
  static Tensor transposed(const char* name, const Tensor& x) {
    const Tensor y = builders().at(name)(transpose(x, {0, 3, 1, 2}));
    return y.rank() == 4 ? transpose(y, {0, 2, 3, 1}) : y;
  }
};

TEST_P(ChannelsFirstTest, GivesTheTransposedOutput) {
  const auto& baseline = test::kLayerBaselines.at(GetParam());
  ArgScope scope(
      Conv2DOptions{.data_format = "channels_first"}, Conv2DTransposeOptions{.data_format = "channels_first"},
      MaxPoolingOptions{.data_format = "channels_first"}, AvgPoolingOptions{.data_format = "channels_first"},
      GlobalAvgPoolingOptions{.data_format = "channels_first"}, BatchNormOptions{.data_format = "NCHW"},
      LayerNormOptions{.data_format = "NCHW"}, InstanceNormOptions{.data_format = "NCHW"});
  OneLayer layer(baseline, [](const Tensor& x) { return transposed(GetParam(), x); });
  EXPECT_EQ(layer.output.shape(), baseline.shape);
  const at::Tensor y = layer.session().run(layer.output, layer.feeds);
  EXPECT_TRUE(test::close(y, at::tensor(baseline.output).reshape(baseline.shape), test::kSameSums));
}

INSTANTIATE_TEST_SUITE_P(, ChannelsFirstTest,
                         testing::Values("conv_same_odd_stride", "conv_groups", "conv_bn_relu",
                                         "transpose_same", "transpose_valid", "max_pooling_same",
                                         "avg_pooling_same", "global_avg_pooling", "bn_image", "bn_inference",
                                         "layer_norm", "instance_norm"),
                         [](const auto& info) { return std::string(info.param); });

/// What layers have in common.
class LayerCallTest : public testing::Test {
 protected:
  /// The message of the UsageError that `act` must throw.
  template <typename Act>
  std::string error_of(const Act& act) {
    try {
      act();
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }

  Graph graph;
  GraphScope as_default{graph};
  TowerContext tower{"", {.is_training = true}};
  Tensor x = placeholder("x", {kDynamic, 8, 8, 3});
};

TEST_F(LayerCallTest, AChainIsTheNestedCalls) {
  const Tensor y = x | Conv2D("conv0", {.filters = 4, .kernel = 3}) | relu |
                   MaxPooling("pool0", {.pool = 2}) | FullyConnected("fc0", {.units = 10});
  EXPECT_EQ(y.name(), "fc0/output:0");
  EXPECT_EQ(y.shape(), (Shape{kDynamic, 10}));
  EXPECT_EQ(graph.find_variable("fc0/W")->tensor.shape(), (Shape{64, 10}));
}

TEST_F(LayerCallTest, ArgScopesMergeAndTheCallWins) {
  ArgScope outer(Conv2DOptions{.filters = 4, .kernel = 3, .use_bias = false},
                 BatchNormOptions{.scale = false});
  {
    ArgScope inner(Conv2DOptions{.filters = 5});
    EXPECT_EQ(Conv2D("a", x).dim(3), 5);
    EXPECT_EQ(Conv2D("b", x, {.filters = 6}).dim(3), 6);
  }
  EXPECT_EQ(Conv2D("c", x, {.use_bias = true}).dim(3), 4);
  EXPECT_FALSE(graph.find_variable("a/b"));
  EXPECT_TRUE(graph.find_variable("c/b"));
}

TEST_F(LayerCallTest, NullptrTakesAnActivationOfTheArgScopeAway) {
  ArgScope scope(Conv2DOptions{.filters = 4, .kernel = 3, .activation = BNReLU});
  Conv2D("conv0", x);
  Conv2D("conv1", x, {.activation = nullptr});
  EXPECT_TRUE(graph.find_variable("conv0/bn/gamma"));
  EXPECT_FALSE(graph.find_variable("conv1/bn/gamma"));
}

TEST_F(LayerCallTest, VariablesAreFoundByTheOutcome) {
  const Tensor y = Conv2D("conv0", x, {.filters = 4, .kernel = 3, .activation = BNReLU});
  EXPECT_EQ(variables_of(y)["W"].name(), "conv0/W");
  EXPECT_EQ(variables_of(y)["bn/mean/EMA"].name(), "conv0/bn/mean/EMA");
  EXPECT_EQ(variables_of(y).list().size(), 6u);
  EXPECT_THAT(error_of([&] { variables_of(y)["w"]; }), HasSubstr("conv0/W"));
  EXPECT_THAT(error_of([&] { variables_of(relu(y)); }), HasSubstr("expected the outcome of a layer"));
}

struct SwapOptions {
  Option<double> scale = by_default(2.0);
};
std::vector<Tensor> build_swap(const std::string&, const std::vector<Tensor>& inputs,
                               const SwapOptions& options) {
  const Tensor w = get_variable("w", {});
  return {inputs[1] * w, inputs[0] * *options.scale};
}
constexpr MultiLayer<SwapOptions> Swap{"Swap", build_swap};

TEST_F(LayerCallTest, ALayerMayHaveSeveralInputsAndOutputs) {
  const ArgScope scope(SwapOptions{.scale = 3});
  const auto y = Swap("swap", {x, mean(x)});
  EXPECT_EQ(y[0].name(), "swap/output:0");
  EXPECT_EQ(y[1].name(), "swap/output_1:0");
  EXPECT_EQ(y[1].shape(), x.shape());
  EXPECT_EQ(variables_of(y[1])["w"].name(), "swap/w");
  EXPECT_THAT(error_of([&] { Swap("none", {}); }), HasSubstr("expected an input"));
}

TEST_F(LayerCallTest, DropoutTakesARateThatARunComputes) {
  const Tensor rate = placeholder("rate", {}), keep = placeholder("keep", {});
  const Tensor wide = placeholder("wide", {200, 50});
  const Tensor y = Dropout("drop", wide, {.rate = rate});
  const Tensor kept = Dropout(wide, {.keep_prob = keep, .noise_shape = Shape{-1, 1}});
  Session session(graph);
  const auto share = [&](const Tensor& t, double number) {
    const at::Tensor ones = at::cos(at::zeros({200, 50}));
    const at::Tensor given = at::full({}, number, at::kFloat);
    return session.run(t, {{wide, ones}, {rate, given}, {keep, given}});
  };
  EXPECT_NEAR(share(y, 0.8).ne(0).to(at::kFloat).mean().item<double>(), 0.2, 0.03);
  EXPECT_NEAR(share(y, 0.8).max().item<double>(), 5, 1e-4);
  EXPECT_NEAR(share(y, 0.0).min().item<double>(), 1, 1e-6);
  const at::Tensor rows = share(kept, 0.5).ne(0);
  EXPECT_TRUE(rows.all(1).equal(rows.any(1)));
  EXPECT_NEAR(rows.to(at::kFloat).mean().item<double>(), 0.5, 0.15);
  EXPECT_THAT(error_of([&] { Dropout(wide, {.rate = 0.1, .keep_prob = 0.9}); }), HasSubstr("got both"));
  EXPECT_THAT(error_of([&] { Dropout(wide, {.keep_prob = 1.5}); }), HasSubstr("[0, 1)"));
}

TEST_F(LayerCallTest, NormalisationsRefuseWhatDoesNotFit) {
  const Tensor rows = placeholder("rows", {6, 4});
  EXPECT_THAT(error_of([&] { BatchNorm("a", x, {.axis = 2}); }), HasSubstr("expected .axis of 1"));
  EXPECT_THAT(error_of([&] { BatchNorm("b", rows, {.virtual_batch_size = 4}); }),
              HasSubstr("divides the batch"));
  EXPECT_THAT(error_of([&] { GroupNorm("c", x, {.groups = 2}); }), HasSubstr("divide 3 channels"));
  EXPECT_THAT(error_of([&] { BatchRenorm("d", x, {.rmax = 1.5}); }), HasSubstr("dmax"));
  EXPECT_THAT(error_of([&] { FixedUnPooling("e", x, {.shape = 2, .unpool_mat = rows}); }),
              HasSubstr("expected an .unpool_mat [2, 2]"));
}

TEST_F(LayerCallTest, GhostNormalisationTakesDynamicSizes) {
  const Tensor any = placeholder("any", {kDynamic, kDynamic, kDynamic, 3});
  const Tensor y = BatchNorm("bn", any, {.ema_update = EmaUpdate::kSkip, .virtual_batch_size = 2});
  Session session(graph);
  session.initialize_variables();
  const at::Tensor value = at::sin(counted({4, 5, 6, 3}));
  const at::Tensor whole = session.run(y, {{any, value.to(at::kFloat)}});
  EXPECT_EQ(whole.sizes(), value.sizes());
  const at::Tensor part = session.run(y, {{any, value.narrow(0, 2, 2).to(at::kFloat)}});
  EXPECT_TRUE(test::close(whole.narrow(0, 2, 2), part, test::kSameSums));
}

/// What is logged while `act` runs.
template <typename Act>
std::string logged_by(const Act& act) {
  std::string text;
  set_log_sink([&](LogLevel, std::string_view message) { text += std::string(message) + "\n"; });
  act();
  set_log_sink({});
  return text;
}

TEST_F(LayerCallTest, ShapesAreLoggedUnlessTurnedOff) {
  const auto build = [&](const char* name) { Conv2D(name, x, {.filters = 4, .kernel = 3}); };
  EXPECT_THAT(logged_by([&] { build("conv0"); }), HasSubstr("'conv0': [?, 8, 8, 3] --> [?, 8, 8, 4]"));
  EXPECT_EQ(logged_by([&] { build("conv0/inner"); }).empty(), false);
  constexpr MultiLayer<SwapOptions> quiet{"Quiet", build_swap, /*log_shape=*/false};
  EXPECT_EQ(logged_by([&] { quiet("quiet", {x, x}); }), "");
  disable_layer_logging();
  EXPECT_EQ(logged_by([&] { build("conv1"); }), "");
  EXPECT_THAT(logged_by([&] { x | print_tensor; }), HasSubstr("x:0 float32 [?, 8, 8, 3]"));
}

TEST_F(LayerCallTest, EachFieldOfAnOptionsStructIsMerged) {
  const Conv2DOptions all{.filters = 1,
                          .kernel = 2,
                          .strides = 3,
                          .padding = "valid",
                          .data_format = "NCHW",
                          .dilation = 4,
                          .groups = 5,
                          .activation = relu,
                          .use_bias = false,
                          .kernel_initializer = zeros_initializer(),
                          .bias_initializer = ones_initializer(),
                          .kernel_regularizer = [](const Tensor& v) { return v; },
                          .bias_regularizer = [](const Tensor& v) { return v; },
                          .activity_regularizer = [](const Tensor& v) { return v; }};
  const Conv2DOptions merged = merge_options({.filters = 7}, all);
  EXPECT_EQ(merged.filters, 7);
  EXPECT_EQ(merged.kernel, Size2D(2));
  EXPECT_EQ(merged.groups, 5);
  EXPECT_TRUE(merged.kernel_regularizer.is_set());
  EXPECT_TRUE(merged.activity_regularizer.is_set());
}

TEST_F(LayerCallTest, AnOptionKnowsADefaultFromWhatWasSet) {
  Conv2DOptions options{.padding = "same"};
  EXPECT_TRUE(options.padding.is_set());
  EXPECT_FALSE(options.use_bias.is_set());
  EXPECT_EQ(options.use_bias, true);
  EXPECT_FALSE(options.filters.has_value());
  options.use_bias = true;
  options.strides = {1, 2};
  EXPECT_TRUE(options.use_bias.is_set());
  EXPECT_EQ(*options.strides, Size2D(1, 2));
  const Conv2DOptions merged = merge_options(options, {.strides = 3, .dilation = 2, .use_bias = false});
  EXPECT_EQ(merged.use_bias, true);
  EXPECT_EQ(*merged.strides, Size2D(1, 2));
  EXPECT_EQ(*merged.dilation, Size2D(2));
}

TEST_F(LayerCallTest, NulloptLeavesAFieldToTheArgScopeAndTheDefault) {
  ArgScope scope(Conv2DOptions{.filters = 4, .kernel = 3, .strides = std::nullopt, .use_bias = false});
  const Tensor y = Conv2D("conv0", x, {.padding = std::nullopt, .use_bias = std::nullopt});
  EXPECT_EQ(y.shape(), (Shape{kDynamic, 8, 8, 4}));
  EXPECT_FALSE(graph.find_variable("conv0/b"));
}

/// Options of a layer that is not ours, without defaults.
struct PlainOptions {
  std::optional<int> a = {};
  std::optional<std::string> b = {};
};

TEST_F(LayerCallTest, OptionsMayBeStdOptionals) {
  ArgScope scope(PlainOptions{.a = 1, .b = "scope"});
  const PlainOptions options = with_argscope(PlainOptions{.b = "call"});
  EXPECT_EQ(options.a, 1);
  EXPECT_EQ(options.b, "call");
}

TEST_F(LayerCallTest, ALayerLogsItsShapesTheFirstTime) {
  std::string log;
  set_log_sink([&](LogLevel, std::string_view line) { log += std::string(line) + "\n"; });
  MaxPooling("pool0", x, {.pool = 2});
  EXPECT_THAT(log, HasSubstr("'pool0': [?, 8, 8, 3] --> [?, 4, 4, 3]"));
  log.clear();
  MaxPooling("pool0", x, {.pool = 2});
  set_log_sink({});
  EXPECT_EQ(log, "");
}

TEST_F(LayerCallTest, FullyConnectedTakesAListAsAColumn) {
  const Tensor y = FullyConnected("fc0", placeholder("list", {kDynamic}), {.units = 3});
  EXPECT_EQ(y.shape(), (Shape{kDynamic, 3}));
  EXPECT_EQ(graph.find_variable("fc0/W")->tensor.shape(), (Shape{1, 3}));
}

TEST_F(LayerCallTest, Deconv2DIsConv2DTranspose) {
  EXPECT_EQ(Deconv2D("deconv0", x, {.filters = 4, .kernel = 3, .strides = 2}).shape(),
            (Shape{kDynamic, 16, 16, 4}));
}

TEST_F(LayerCallTest, WeightsKeepTheOutputChannelOutermostInMemory) {
  Conv2D("conv0", x, {.filters = 4, .kernel = 3});
  const Tensor weights = graph.tensor("conv0/W");
  EXPECT_EQ(weights.shape(), (Shape{3, 3, 3, 4}));
  EXPECT_THAT(weights.node().attribute("memory_order").toIntVector(), ElementsAre(3, 0, 1, 2));
}

/// What TensorFlow gives for the pixels 1, 2, 4 and 7: it has a fused operator, and the unbiased variance,
/// for float32 only.
TEST_F(LayerCallTest, TheMovingVarianceIsBiasedForFloat64Images) {
  for (const auto& [dtype, expected] : {std::pair(kFloat32, 1.6), std::pair(kFloat64, 1.425)}) {
    Graph own;
    GraphScope as_default(own);
    TowerContext tower("", {.is_training = true});
    BatchNorm("bn0", constant(at::tensor({1., 2., 4., 7.}).to(dtype).reshape({1, 2, 2, 1})));
    Session session(own);
    session.initialize_variables();
    for (const Tensor& update : own.collection(kUpdateOps)) session.run(update);
    EXPECT_NEAR(session.value(Variable(own.find_variable("bn0/variance/EMA"))).item<double>(), expected,
                1e-6);
  }
}

TEST_F(LayerCallTest, MovingAveragesAreModelVariables) {
  BatchNorm("bn0", x);
  const auto variables = variables_in(graph, kModelVariables);
  ASSERT_EQ(variables.size(), 2);
  EXPECT_EQ(variables[0].name(), "bn0/mean/EMA");
  EXPECT_EQ(graph.collection(kUpdateOps).size(), 2);
}

TEST(ReplicatedBatchNorm, OnlyTheFirstTowerUpdatesMovingAverages) {
  for (const char* variable_scope : {"", "tower1"}) {
    Graph graph;
    GraphScope as_default(graph);
    VariableScope reuse("", {.reuse = Reuse::kAuto});
    for (int index : {0, 1}) {
      TowerContext tower(index == 0 ? "" : "tower1", {.is_training = true,
                                                      .variable_scope = index == 0 ? "" : variable_scope,
                                                      .index = index,
                                                      .total = 2});
      BatchNorm("bn0", placeholder("x", {kDynamic, 3}));
    }
    ASSERT_EQ(graph.collection(kUpdateOps).size(), 2u) << variable_scope;
    for (const Tensor& update : graph.collection(kUpdateOps))
      EXPECT_FALSE(update.op_name().starts_with("tower1/")) << update.op_name();
  }
}

TEST_F(LayerCallTest, DropoutInTrainingKeepsTheMean) {
  const Tensor y = Dropout("drop", ones({100, 100}), {.rate = 0.25, .seed = 1});
  Session session(graph);
  const at::Tensor value = session.run(y);
  EXPECT_NEAR(value.mean().item<double>(), 1, 0.02);
  EXPECT_NEAR(value.max().item<double>(), 1 / 0.75, 1e-6);
}

TEST_F(LayerCallTest, DropoutMayDropWholeChannels) {
  const Tensor y =
      Dropout("drop", ones({4, 5, 6, 3}), {.rate = 0.5, .seed = 1, .noise_shape = {{-1, 1, 1, -1}}});
  const at::Tensor value = Session(graph).run(y);
  const at::Tensor sums = value.sum(at::IntArrayRef{1, 2});
  EXPECT_TRUE(sums.eq(0).logical_or(sums.eq(60)).all().item<bool>());
  EXPECT_GT(sums.eq(0).sum().item<int64_t>(), 0);
}

TEST_F(LayerCallTest, ErrorsNameTheLayer) {
  const Tensor matrix = placeholder("m", {kDynamic, 784});
  const Tensor integers = placeholder("i", {kDynamic, 8, 8, 3}, kUInt8);
  EXPECT_THAT(error_of([&] { Conv2D("c0", matrix, {.filters = 3, .kernel = 3}); }),
              HasSubstr("[Conv2D c0] expected a 4-D input, got m:0"));
  EXPECT_THAT(error_of([&] { Conv2D("c1", x, {.filters = 3}); }),
              HasSubstr("[Conv2D c1] expected .kernel to be set"));
  EXPECT_THAT(error_of([&] { Conv2D("c2", x, {.filters = 3, .kernel = 3, .padding = "full"}); }),
              HasSubstr("[Conv2D c2] expected padding \"same\" or \"valid\", got \"full\""));
  EXPECT_THAT(error_of([&] { Conv2D("c3", x, {.filters = 4, .kernel = 3, .groups = 2}); }),
              HasSubstr("[Conv2D c3] expected a number of channels that .groups = 2 divides"));
  EXPECT_THAT(error_of([&] { Conv2D("c4", integers, {.filters = 4, .kernel = 3}); }),
              HasSubstr("[Conv2D c4] expected a floating-point input"));
  EXPECT_THAT(error_of([&] { Dropout("d0", x, {.rate = 1.5}); }), HasSubstr("[Dropout d0] expected .rate"));
  EXPECT_THAT(error_of([&] { MaxPooling("p0", Tensor(), {.pool = 2}); }),
              HasSubstr("[MaxPooling p0] expected an input tensor, got none"));
}

TEST(LayerOutsideATowerTest, BatchNormAsksForOne) {
  Graph graph;
  GraphScope as_default(graph);
  EXPECT_THROW(BatchNorm("bn0", placeholder("x", {2, 3})), UsageError);
}

}  // namespace
}  // namespace belfry
