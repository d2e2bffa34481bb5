#include "belfry/inference/compiled_callable.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <ostream>
#include <random>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "tests/support/close.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A graph in inference mode, its variables random.
class CompileTest : public testing::Test {
 protected:
  CompileTest() : default_(graph_), tower_("", {.is_training = false}), session_(graph_) {
    graph_.set_seed(7);
  }

  /// Variables far from the values that would hide a mistake, such as a variance of 1.
  void randomize() {
    for (const Variable& variable : variables_in(graph_, kGlobalVariables)) {
      at::Tensor value = at::randn(variable.shape()) * 0.3;
      if (variable.name().find("variance") != std::string::npos) value = value.abs() + 0.5;
      session_.set_value(variable, value);
    }
  }

  std::vector<at::Tensor> plain(const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches,
                                const std::vector<at::Tensor>& values) {
    return session_.make_callable(feeds, fetches)(values);
  }

  Graph graph_;
  GraphScope default_;
  TowerContext tower_;
  Session session_;
};

constexpr test::Tolerance kRounding{.relative = 1e-4, .absolute = 1e-5};

Tensor resnet_block(const std::string& name, Tensor x, int64_t stride) {
  VariableScope scope(name);
  Tensor y = Conv2D("conv1", x, {.filters = 16, .kernel = 3, .strides = stride, .activation = BNReLU});
  y = Conv2D("conv2", y, {.filters = 16, .kernel = 3}) | BatchNorm("bn");
  if (stride > 1)
    x = Conv2D("shortcut", x, {.filters = 16, .kernel = 1, .strides = stride}) | BatchNorm("bn_shortcut");
  return relu(x + y);
}

TEST_F(CompileTest, AResNetGivesTheSameForEveryBatchSize) {
  const Tensor image = placeholder("image", {kDynamic, 15, 13, 3});
  Tensor x =
      Conv2D("conv0", image * 2.0 - 1.0, {.filters = 16, .kernel = 7, .strides = 2, .activation = BNReLU});
  x = MaxPooling("pool0", x, {.pool = 3, .strides = 2, .padding = "same"});
  x = resnet_block("a", x, 1);
  x = resnet_block("b", x, 2);
  const Tensor prob = softmax(x | GlobalAvgPooling("gap") | FullyConnected("fc", {.units = 10}));
  randomize();
  const CompiledCallable compiled = compile(session_, {image}, {prob, x});
  ASSERT_TRUE(compiled.is_compiled());
  for (int64_t batch : {1, 5, 2, 1}) {
    const std::vector<at::Tensor> feeds = {at::randn({batch, 15, 13, 3})};
    const auto expected = plain({image}, {prob, x}, feeds), given = compiled(feeds);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_TRUE(test::close(given[i], expected[i], kRounding)) << i << " of batch " << batch;
  }
  const std::string text = compiled.describe();
  EXPECT_THAT(text.substr(text.find("after:")), Not(HasSubstr("batch_norm(")));
}

TEST_F(CompileTest, AScalarIsFedBesideBatches) {
  const Tensor x = placeholder("x", {kDynamic, 8}), temperature = placeholder("temperature", {});
  const std::vector<Fetch> fetches = {softmax(x / temperature), sum(x) * temperature};
  for (const int64_t cache_bytes : {int64_t{256}, int64_t{8} << 20}) {
    const CompiledCallable compiled =
        compile(session_, {x, temperature}, fetches, {.cache_bytes = cache_bytes});
    for (const int64_t batch : {1, 2, 1024}) {
      const std::vector<at::Tensor> feeds = {at::randn({batch, 8}), at::full({}, 2.5)};
      const auto expected = plain({x, temperature}, fetches, feeds), given = compiled(feeds);
      for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(test::close(given[i], expected[i], kRounding)) << batch;
    }
    EXPECT_TRUE(compiled.is_compiled());
  }
}

TEST_F(CompileTest, ABiasOfTheSecondDimensionIsAddedThere) {
  const std::vector<Shape> shapes = {
      {2, 4}, {kDynamic, 4, 4}, {3, 4, 5, 4}, {2, 4, 3, kDynamic, 4}, {2, 4, 1, 2, 3, 4}};
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Tensor x = placeholder(fmt::format("x{}", i), shapes[i]);
    const Tensor y = relu(bias_add(x, get_variable(fmt::format("b{}", i), {4}), "NCHW"));
    randomize();
    Shape sizes = shapes[i];
    for (int64_t& size : sizes) size = size == kDynamic ? 3 : size;
    const std::vector<at::Tensor> feeds = {at::randn(sizes)};
    EXPECT_TRUE(test::close(compile(session_, {x}, {y})(feeds)[0], plain({x}, {y}, feeds)[0], kRounding))
        << i;
  }
}

TEST_F(CompileTest, NaNThatComesOfFiniteFeedsStaysNaN) {
  const Tensor x = placeholder("x", {kDynamic, 6, 6, 8}), large = x * 1e20;
  const Tensor difference = square(large) - square(large * 2.0);  // inf - inf
  const Tensor y = Conv2D("conv", difference, {.filters = 8, .kernel = 3, .activation = relu6});
  randomize();
  const std::vector<Fetch> fetches = {relu(difference), y, max_pool2d(difference)};
  for (int64_t batch : {1, 5}) {
    at::Tensor value = at::zeros({batch, 6, 6, 8});
    value[batch - 1][3][3][2] = 1;
    for (const CompileOptions& options : {CompileOptions(), CompileOptions{.cache_bytes = 1000}}) {
      const auto given = compile(session_, {x}, fetches, options)({value});
      const std::vector<int64_t> expected = {1, 72, 1};
      for (size_t i = 0; i < fetches.size(); ++i)
        EXPECT_EQ(at::isnan(given[i]).sum().item<int64_t>(), expected[i]) << i << " of batch " << batch;
    }
  }
}

TEST_F(CompileTest, NaNStaysNaN) {
  for (int64_t channels : {3, 8, 17}) {
    const std::string c = std::to_string(channels);
    const Tensor x = placeholder("x" + c, {kDynamic, 6, 6, channels});
    const Tensor y = Conv2D("conv" + c, x, {.filters = 8, .kernel = 3, .activation = relu6});
    randomize();
    const std::vector<Fetch> fetches = {relu(x), relu6(x), y, max_pool2d(x)};
    at::Tensor value = at::randn({2, 6, 6, channels});
    value[1][3][3][2] = std::numeric_limits<float>::quiet_NaN();
    const CompiledCallable compiled = compile(session_, {x}, fetches);
    const auto given = compiled({value});
    const std::vector<int64_t> expected = {1, 1, 72, 1};
    for (size_t i = 0; i < fetches.size(); ++i)
      EXPECT_EQ(at::isnan(given[i]).sum().item<int64_t>(), expected[i]) << i << " of " << channels;
    EXPECT_TRUE(compiled.is_compiled()) << "for calls of ordinary numbers";
    const auto fast = compile(session_, {x}, fetches, {.check_numbers = false})({value});
    EXPECT_EQ(at::isnan(fast[2]).sum().item<int64_t>(), 0);
  }
}

TEST_F(CompileTest, ABrokenWeightShows) {
  const Tensor x = placeholder("x", {kDynamic, 6, 6, 8});
  const Tensor y = Conv2D("conv", x, {.filters = 8, .kernel = 3, .activation = relu});
  randomize();
  const CompiledCallable compiled = compile(session_, {x}, {y});
  const std::vector<at::Tensor> feeds = {at::randn({1, 6, 6, 8})};
  EXPECT_FALSE(at::isnan(compiled(feeds)[0]).any().item<bool>());
  for (const Variable& variable : variables_in(graph_, kGlobalVariables)) {
    at::Tensor value = at::randn(variable.shape());
    value.view(-1)[0] = std::numeric_limits<float>::quiet_NaN();
    session_.set_value(variable, value);
  }
  EXPECT_TRUE(at::isnan(compiled(feeds)[0]).any().item<bool>());
  randomize();
  EXPECT_FALSE(at::isnan(compiled(feeds)[0]).any().item<bool>());
}

TEST_F(CompileTest, FeedsThatDoNotRunLeaveItCompiled) {
  const Tensor image = placeholder("image", {kDynamic, kDynamic, kDynamic, 3});
  const Tensor y = conv2d(image, get_variable("W", {5, 5, 3, 4}), {.padding = "VALID"});
  randomize();
  const CompiledCallable compiled = compile(session_, {image}, {y});
  EXPECT_THROW(compiled({at::randn({1, 2, 2, 3})}), Error);
  EXPECT_TRUE(compiled.is_compiled());
  EXPECT_EQ(compiled({at::randn({1, 6, 6, 3})})[0].sizes(), (std::vector<int64_t>{1, 2, 2, 4}));
}

// One float after the other, a million values of 0.1 sum to 1 % too much.
TEST_F(CompileTest, MeansOfManyValuesAreAsCloseAsOfFew) {
  const Tensor image = placeholder("image", {kDynamic, kDynamic, kDynamic, 2});
  const Tensor all = mean(image, {1, 2}), pooled = avg_pool2d(image, {.pool = 64});
  const CompiledCallable compiled = compile(session_, {image}, {all, pooled});
  for (const int64_t size : {64, 128, 1024}) {
    for (const at::Tensor& value : compiled({at::full({1, size, size, 2}, 0.1)}))
      EXPECT_TRUE(test::close(value, at::full(value.sizes(), 0.1, at::kDouble), {.relative = 1e-5}));
  }
}

TEST_F(CompileTest, LinearOperatorsOfEverySizeRun) {
  for (int64_t in : {1, 2, 7, 64}) {
    for (int64_t out : {1, 2, 9, 64}) {
      const std::string name = "fc" + std::to_string(in) + "x" + std::to_string(out);
      const Tensor x = placeholder(name + "_x", {kDynamic, 3, in}),
                   residual = placeholder(name + "_r", {kDynamic, 3, out});
      const Tensor y = matmul(x, get_variable(name, {in, out})) + residual;
      randomize();
      const CompiledCallable compiled = compile(session_, {x, residual}, {y});
      for (int64_t batch : {1, 5}) {
        const std::vector<at::Tensor> feeds = {at::randn({batch, 3, in}), at::randn({batch, 3, out})};
        EXPECT_TRUE(test::close(compiled(feeds)[0], plain({x, residual}, {y}, feeds)[0], kRounding)) << name;
      }
    }
  }
}

TEST_F(CompileTest, AResidualThatIsNeededAgainStaysAsItIs) {
  const Tensor image = placeholder("image", {kDynamic, 6, 6, 8});
  const Tensor x = tanh(image);
  auto conv = [&](const std::string& name, const Tensor& y) {
    return Conv2D(name, y, {.filters = 8, .kernel = 3});
  };
  const Tensor of_itself = x + conv("a", x), twice = x + conv("b", sigmoid(x)),
               of_view = reshape(reshape(x, {-1, 8}), {-1, 6, 6, 8}) + conv("c", twice),
               fed = image + conv("d", of_view);
  randomize();
  const std::vector<Fetch> fetches = {of_itself, of_view, fed, sum(x)};
  const CompiledCallable compiled = compile(session_, {image}, fetches);
  const std::vector<at::Tensor> feeds = {at::randn({2, 6, 6, 8})};
  const at::Tensor before = feeds[0].clone();
  const auto given = compiled(feeds), expected = plain({image}, fetches, feeds);
  for (size_t i = 0; i < fetches.size(); ++i) EXPECT_TRUE(test::close(given[i], expected[i], kRounding)) << i;
  EXPECT_TRUE(feeds[0].equal(before));
}

TEST_F(CompileTest, EveryKindOfAttentionGivesTheSame) {
  const Tensor x = placeholder("x", {kDynamic, 5, 3 * 2 * 4}), mask = placeholder("mask", {5, 5});
  const Tensor heads = transpose(reshape(x, {-1, 5, 3, 2, 4}), {2, 0, 3, 1, 4});
  const Tensor query = select(heads, 0), key = select(heads, 1), value = select(heads, 2);
  auto attention = [&](const AttentionAttributes& attributes) {
    return reshape(transpose(scaled_dot_product_attention(query, key, value, attributes), {0, 2, 1, 3}),
                   {-1, 8});
  };
  const std::vector<Fetch> fetches = {attention({}), attention({.scale = 0.3}), attention({.mask = mask}),
                                      attention({.is_causal = true}),
                                      attention({.mask = greater(mask, 0.0)})};
  const CompiledCallable compiled = compile(session_, {x, mask}, fetches);
  const at::Tensor masked = at::randn({5, 5});
  masked.diagonal().fill_(1);
  for (int64_t batch : {1, 3}) {
    const std::vector<at::Tensor> feeds = {at::randn({batch, 5, 24}), masked};
    const auto given = compiled(feeds), expected = plain({x, mask}, fetches, feeds);
    for (size_t i = 0; i < fetches.size(); ++i)
      EXPECT_TRUE(test::close(given[i], expected[i], kRounding)) << i << " of batch " << batch;
  }
  EXPECT_THAT(compiled.describe(), HasSubstr("onednn brg:"));
}

/// Parts of one sample each.
constexpr CompileOptions kSmallParts{.cache_bytes = 40000};

TEST_F(CompileTest, ABatchInPartsGivesTheSame) {
  const Tensor image = placeholder("image", {kDynamic, 15, 13, 3}),
               words = placeholder("words", {kDynamic, 5}, kInt64);
  const Tensor scale = placeholder("scale", {1});
  Tensor x = Conv2D("conv0", image * scale, {.filters = 16, .kernel = 3, .activation = BNReLU});
  x = pad(resnet_block("a", MaxPooling("pool", x, {.pool = 2}), 2), {{0, 0}, {0, 1}, {0, 0}, {0, 0}});
  const Tensor features = concat({x | GlobalAvgPooling("gap"), sum(x, {1, 2})}, 1);
  Tensor y = reshape(embedding_lookup(get_variable("table", {9, 24}), words), {-1, 24});
  const Tensor heads = transpose(reshape(y, {-1, 5, 3, 2, 4}), {2, 0, 3, 1, 4});
  y = scaled_dot_product_attention(select(heads, 0), select(heads, 1), select(heads, 2));
  y = reshape(transpose(y, {0, 2, 1, 3}), {-1, 8}) | FullyConnected("out", {.units = 6, .activation = gelu});
  const Tensor prob = softmax(features | FullyConnected("fc", {.units = 10}));
  randomize();
  const std::vector<Fetch> feeds = {image, words, scale},
                           fetches = {prob, reshape(y, {-1, 5, 6}), argmax(prob, 1),
                                      expand_dims(features, 1)};
  const CompiledCallable compiled = compile(session_, feeds, fetches, kSmallParts);
  EXPECT_THAT(compiled.describe(), HasSubstr("samples are independent"));
  for (int64_t batch : {1, 7, 2, 0}) {
    const std::vector<at::Tensor> values = {at::randn({batch, 15, 13, 3}), at::randint(9, {batch, 5}),
                                            at::randn({1})};
    const auto given = compiled(values), expected = plain(feeds, fetches, values);
    for (size_t i = 0; i < fetches.size(); ++i)
      EXPECT_TRUE(test::close(given[i], expected[i], kRounding)) << i << " of batch " << batch;
  }
}

/// With nothing to print but its message too.
TEST_F(CompileTest, PrintsInEveryCall) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  for (const std::vector<Tensor>& data : {std::vector<Tensor>{}, {x}}) {
    const CompiledCallable compiled =
        compile(session_, {x}, {print(x, data, {.message = "here:"}) * 2.0}, {.split_batch = false});
    for (int call = 0; call < 2; ++call) {
      const test::LogLines log;
      EXPECT_TRUE(compiled({at::ones({2, 3})})[0].equal(at::full({2, 3}, 2.f)));
      EXPECT_THAT(log.text(), HasSubstr("here:"));
    }
    EXPECT_TRUE(compiled.is_compiled()) << compiled.describe();
  }
}

TEST_F(CompileTest, SamplesThatMeetStayTogether) {
  const Tensor x = placeholder("x", {kDynamic, 4, 6}), y = placeholder("y", {kDynamic, 3});
  const std::map<std::string, Tensor> mixing = {
      {"mean", x - mean(x)},
      {"mean over samples", x - mean(x, {0})},
      {"softmax over samples", softmax(x, 0)},
      {"transposed", transpose(x, {1, 0, 2}) + 1.0},
      {"cut in two", reshape(tanh(reshape(x, {-1, 16})), {-1, 4, 6})},
      {"sorted", cumsum(x, 0)},
      {"reversed", reverse(x, {0})},
      {"rows", reshape(x, {-1, 6}) * 2.0},
      {"constant", zeros({2}) + 1.0}};
  for (const auto& [name, fetch] : mixing) {
    const CompiledCallable compiled = compile(session_, {x}, {fetch}, kSmallParts);
    EXPECT_THAT(compiled.describe(), HasSubstr("may depend on each other")) << name;
    const std::vector<at::Tensor> values = {at::randn({8, 4, 6})};
    EXPECT_TRUE(test::close(compiled(values)[0], plain({x}, {fetch}, values)[0], kRounding)) << name;
  }
  // Batches of two sizes.
  const CompiledCallable two = compile(session_, {x, y}, {x * 2.0, y * 3.0}, kSmallParts);
  const auto given = two({at::ones({2, 4, 6}), at::ones({3, 3})});
  EXPECT_TRUE(given[0].eq(2).all().item<bool>() && given[1].eq(3).all().item<bool>());
}

TEST_F(CompileTest, ScalesAndShiftsOfAnyNumberOfChannelsRun) {
  for (int64_t channels : {1, 3, 16, 24, 40, 5000}) {
    const std::string name = "bn" + std::to_string(channels);
    const Tensor x = placeholder(name + "_x", {kDynamic, 3, 2, channels}), y = BatchNorm(name, x);
    const std::vector<Fetch> fetches = {y, relu(BatchNorm(name + "b", x)), relu6(BatchNorm(name + "c", x)),
                                        silu(BatchNorm(name + "d", x))};
    randomize();
    const CompiledCallable compiled = compile(session_, {x}, fetches);
    at::Tensor feed = at::randn({2, 3, 2, channels});
    feed[0][0][0][0] = NAN;
    const auto given = compiled({feed}), expected = plain({x}, fetches, {feed});
    for (size_t i = 0; i < fetches.size(); ++i) {
      EXPECT_TRUE(given[i][0][0][0][0].isnan().item<bool>());
      EXPECT_TRUE(test::close(given[i].nan_to_num(), expected[i].nan_to_num(), kRounding)) << channels;
    }
  }
}

TEST_F(CompileTest, VariablesThatChangeAreSeen) {
  const Tensor x = placeholder("x", {kDynamic, 6, 6, 4});
  const Tensor y = Conv2D("conv", x, {.filters = 8, .kernel = 3, .activation = BNReLU});
  randomize();
  const CompiledCallable compiled = compile(session_, {x}, {y});
  for (int round = 0; round < 3; ++round) {
    const std::vector<at::Tensor> feeds = {at::randn({2, 6, 6, 4})};
    EXPECT_TRUE(test::close(compiled(feeds)[0], plain({x}, {y}, feeds)[0], kRounding));
    randomize();
  }
}

TEST_F(CompileTest, BFloat16IsCloseToFloat32) {
  const Tensor image = placeholder("image", {kDynamic, 15, 13, 3}),
               words = placeholder("words", {kDynamic, 5, 24});
  Tensor x =
      Conv2D("conv0", image * 2.0 - 1.0, {.filters = 16, .kernel = 7, .strides = 2, .activation = BNReLU});
  x = MaxPooling("pool0", resnet_block("a", x, 1), {.pool = 2}) | BatchNorm("bn");
  const Tensor prob = softmax(relu6(x) | GlobalAvgPooling("gap") | FullyConnected("fc", {.units = 10}));
  Tensor y = FullyConnected("qkv", reshape(words, {-1, 24}), {.units = 24});
  const Tensor heads = transpose(reshape(y, {-1, 5, 3, 2, 4}), {2, 0, 3, 1, 4});
  y = scaled_dot_product_attention(select(heads, 0), select(heads, 1), select(heads, 2));
  y = reshape(transpose(y, {0, 2, 1, 3}), {-1, 8});
  y = layer_norm(y + FullyConnected("out", y, {.units = 8}),
                 get_variable("gamma", {8}, {.initializer = ones_initializer()}),
                 get_variable("beta", {8}, {.initializer = zeros_initializer()}));
  y = reshape(y, {-1, 5, 8});
  randomize();
  const CompiledCallable compiled = compile(session_, {image, words}, {prob, y}, {.compute = kBFloat16});
  const std::vector<at::Tensor> feeds = {at::randn({4, 15, 13, 3}), at::randn({4, 5, 24})};
  const auto given = compiled(feeds), expected = plain({image, words}, {prob, y}, feeds);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(given[i].scalar_type(), kFloat32);
    EXPECT_TRUE(test::close(given[i], expected[i], {.relative = 0.1, .absolute = 0.03})) << i;
  }
  EXPECT_THAT(compiled.describe(), HasSubstr("cast_to_bfloat16"));
  EXPECT_THAT(compiled.describe(), HasSubstr("samples are independent"));
}

TEST_F(CompileTest, AProfileHasEachInstructionWithItsTime) {
  const Tensor x = placeholder("x", {kDynamic, 6, 6, 4});
  const Tensor conv = Conv2D("conv", x, {.filters = 8, .kernel = 3, .activation = relu});
  const CompiledCallable compiled =
      compile(session_, {x}, {softmax(conv | FullyConnected("fc", {.units = 3}))});
  session_.initialize_variables();
  const auto steps = compiled.profile({at::randn({2, 6, 6, 4})});
  const std::string listing = compiled.describe();
  ASSERT_GE(steps.size(), 3u);
  for (const ProfiledStep& step : steps) {
    EXPECT_THAT(listing, HasSubstr(fmt::format("  {:40} {}\n", step.node, step.kernel)));
    EXPECT_GE(step.seconds, 0);
  }
}

TEST_F(CompileTest, ThereIsNoProfileOfWhatIsNotCompiled) {
  const Tensor x = placeholder("x", {kDynamic, 4});
  const CompiledCallable compiled = compile(session_, {x}, {random_uniform({2, 2}), x});
  ASSERT_FALSE(compiled.is_compiled());
  EXPECT_TRUE(compiled.profile({at::randn({2, 4})}).empty());
}

TEST_F(CompileTest, ManyThreadsCallOne) {
  const Tensor x = placeholder("x", {kDynamic, 6, 6, 4});
  const Tensor y = Conv2D("conv", x, {.filters = 8, .kernel = 3, .activation = BNReLU});
  randomize();
  const CompiledCallable compiled = compile(session_, {x}, {y});
  const Callable reference = session_.make_callable({x}, {y});
  std::vector<std::jthread> threads;
  for (int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 20; ++i) {
        const at::Tensor feed = at::randn({1 + (t + i) % 3, 6, 6, 4});
        EXPECT_TRUE(test::close(compiled({feed})[0], reference({feed})[0], kRounding));
      }
    });
  }
}

TEST_F(CompileTest, ResultsLieWhereTheCallerWantsThem) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  const Tensor y = FullyConnected("fc", x, {.units = 4, .activation = tanh}), z = y * 2.0;
  randomize();
  const CompiledCallable compiled = compile(session_, {x}, {y, z, x});
  const at::Tensor feed = at::randn({5, 3});
  const std::vector<at::Tensor> results = {at::empty({5, 4}), at::empty({5, 4}), at::empty({5, 3})};
  compiled.run_into({feed}, results);
  EXPECT_TRUE(test::close(results[0] * 2, results[1], kRounding));
  EXPECT_TRUE(test::close(results[0], plain({x}, {y}, {feed})[0], kRounding));
  EXPECT_TRUE(results[2].equal(feed));
  EXPECT_THROW(compiled.run_into({feed}, {at::empty({5, 4}), at::empty({4, 4}), at::empty({5, 3})}),
               UsageError);
}

TEST_F(CompileTest, OldResultsStayAsTheyAre) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  const Tensor y = x + 1.0;
  const CompiledCallable compiled = compile(session_, {x}, {y});
  const at::Tensor first = compiled({at::randn({2, 3})})[0], copy = first.clone();
  compiled({at::randn({2, 3})});
  EXPECT_TRUE(first.equal(copy));
}

TEST_F(CompileTest, ViewsThatReadElementsOtherwiseAreComputed) {
  const Tensor x = placeholder("x", {kDynamic, 2}, kComplex64);
  const std::vector<Fetch> fetches = {call("aten::conj", {x}), call("aten::view_as_real", {x})};
  const CompiledCallable compiled = compile(session_, {x}, fetches);
  const std::vector<at::Tensor> feeds = {at::randn({3, 2}, at::kComplexFloat)};
  const auto expected = plain({x}, fetches, feeds), given = compiled(feeds);
  EXPECT_TRUE(compiled.is_compiled());
  EXPECT_TRUE(at::equal(given[0], expected[0]));
  EXPECT_TRUE(at::equal(given[1], expected[1]));
}

TEST_F(CompileTest, WhatCannotBeCompiledRunsAnyway) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  const CompiledCallable random = compile(session_, {x}, {x + random_uniform({3})});
  EXPECT_FALSE(random.is_compiled());
  EXPECT_EQ(random({at::randn({2, 3})})[0].size(0), 2);
  const Tensor kept = boolean_mask(x, greater(x, 0.0));
  const CompiledCallable masked = compile(session_, {x}, {kept});
  const at::Tensor feed = at::randn({2, 3});
  EXPECT_TRUE(masked({feed})[0].equal(feed.masked_select(feed.gt(0))));
}

TEST_F(CompileTest, WrongFeedsAreExplained) {
  const Tensor x = placeholder("x", {kDynamic, 3});
  const CompiledCallable compiled = compile(session_, {x}, {x * 2.0});
  EXPECT_THROW(compiled({at::randn({2, 4})}), UsageError);
  EXPECT_THROW(compiled({}), UsageError);
  EXPECT_THROW(compile(session_, {}, {x * 2.0}), UsageError);
}

/// A graph of random operators on images.
class RandomGraph {
 public:
  RandomGraph(uint32_t seed, Tensor image) : random_(seed) { tensors_.push_back(image); }

  void grow(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = "layer" + std::to_string(i);
      const Tensor x = any();
      tensors_.push_back(step(name, x));
    }
  }
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  int64_t below(int64_t limit) { return static_cast<int64_t>(random_() % static_cast<uint32_t>(limit)); }
  /// Of the newest few, so that chains come about.
  Tensor any() {
    return tensors_[tensors_.size() - 1 -
                    static_cast<size_t>(below(std::min<int64_t>(3, static_cast<int64_t>(tensors_.size()))))];
  }

  Tensor step(const std::string& name, const Tensor& x) {
    const bool nchw = below(3) == 0;
    auto image_layer = [&](auto layer) {
      return nchw ? transpose(layer(transpose(x, {0, 3, 1, 2}), "NCHW"), {0, 2, 3, 1}) : layer(x, "NHWC");
    };
    switch (below(10)) {
      case 0:
      case 1:
        return image_layer([&](const Tensor& y, const char* format) {
          return Conv2D(
              name, y,
              {.filters = 8, .kernel = 1 + below(3), .data_format = format, .use_bias = below(2) == 0});
        });
      case 2:
        return image_layer(
            [&](const Tensor& y, const char* format) { return BatchNorm(name, y, {.data_format = format}); });
      case 3: {
        const std::vector<std::function<Tensor(Tensor)>> activations = {
            [](Tensor y) { return relu(y); },
            [](Tensor y) { return sigmoid(y); },
            [](Tensor y) { return tanh(y); },
            [](Tensor y) { return gelu(y); },
            [](Tensor y) { return gelu_tanh(y); },
            [](Tensor y) { return silu(y); },
            [](Tensor y) { return relu6(y); },
            [](Tensor y) { return elu(y); },
            [](Tensor y) { return leaky_relu(y, 0.1); },
            [](Tensor y) { return hardswish(y); }};
        return activations[static_cast<size_t>(below(10))](x);
      }
      case 4: {
        for (int tries = 0; tries < 4; ++tries) {
          if (const Tensor other = any(); other.shape() == x.shape()) return x + other;
        }
        return x * 0.5;
      }
      case 5:
        return image_layer([&](const Tensor& y, const char* format) {
          return below(2)
                     ? max_pool2d(y,
                                  {.pool = 2, .strides = Size2D(1), .padding = "SAME", .data_format = format})
                     : avg_pool2d(
                           y, {.pool = 3, .strides = Size2D(1), .padding = "SAME", .data_format = format});
        });
      case 6:
        return Conv2D(name, pad(x, {{0, 0}, {1, 1}, {0, 2}, {0, 0}}),
                      {.filters = 8, .kernel = 3, .padding = "valid"});
      case 7:
        return identity(x * 1.5 - 0.25, name);
      case 8:
        return concat({x, x}, 3) | Conv2D(name, {.filters = 8, .kernel = 1});
      default:
        return FullyConnected(name, reshape(x, {-1, x.dim(3)}), {.units = 3}) |
               [&](const Tensor& y) { return x * reduce_to_scalar(y); };
    }
  }
  static Tensor reduce_to_scalar(const Tensor& y) { return sigmoid(mean(y)); }

  std::mt19937 random_;
  std::vector<Tensor> tensors_;
};

struct PassOff {
  const char* name;
  bool CompileOptions::*pass;  ///< null: everything is on
};
void PrintTo(const PassOff& off, std::ostream* out) {
  *out << off.name;
}
class RandomGraphTest : public testing::TestWithParam<PassOff> {};

TEST_P(RandomGraphTest, GivesTheSameWithAPassTurnedOff) {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    Graph graph;
    GraphScope scope(graph);
    TowerContext tower("", {.is_training = false});
    const Tensor image = placeholder("image", {kDynamic, 7, 6, 8});
    RandomGraph random(seed, image);
    random.grow(14);
    Session session(graph);
    for (const Variable& v : variables_in(graph, kGlobalVariables)) {
      at::Tensor value = at::randn(v.shape()) * 0.3;
      session.set_value(v, v.name().find("variance") != std::string::npos ? value.abs() + 0.5 : value);
    }
    const std::vector<Fetch> fetches = {random.tensors().back(),
                                        random.tensors()[random.tensors().size() / 2]};
    CompileOptions options;
    if (GetParam().pass) options.*GetParam().pass = false;
    const CompiledCallable compiled = compile(session, {image}, fetches, options);
    ASSERT_TRUE(compiled.is_compiled());
    const std::vector<at::Tensor> feeds = {at::randn({3, 7, 6, 8})};
    const auto expected = session.make_callable({image}, fetches)(feeds), given = compiled(feeds);
    for (size_t i = 0; i < expected.size(); ++i) {
      const double scale = expected[i].abs().max().item<double>();
      EXPECT_TRUE(
          test::close(given[i], expected[i], {.relative = 1e-4, .absolute = 1e-4 * std::max(1.0, scale)}))
          << "graph " << seed << "\n"
          << compiled.describe();
    }
  }
}

constexpr PassOff kPasses[] = {{"Nothing", nullptr},
                               {"Canonicalize", &CompileOptions::canonicalize},
                               {"CancelTransposes", &CompileOptions::cancel_transposes},
                               {"FoldPadding", &CompileOptions::fold_padding},
                               {"FoldBatchNorm", &CompileOptions::fold_batch_norm},
                               {"FuseResiduals", &CompileOptions::fuse_residuals},
                               {"FuseActivations", &CompileOptions::fuse_activations},
                               {"FoldConstants", &CompileOptions::fold_constants},
                               {"Primitives", &CompileOptions::primitives},
                               {"PlanMemory", &CompileOptions::plan_memory},
                               {"SplitBatch", &CompileOptions::split_batch}};

INSTANTIATE_TEST_SUITE_P(Off, RandomGraphTest, testing::ValuesIn(kPasses),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry
