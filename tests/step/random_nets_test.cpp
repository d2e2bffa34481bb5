// Nets of random layers, losses and optimizers: their compiled steps are what the plan does. A net is made
// of its number, so that the one that fails can be looked at alone.

#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <random>

#include "belfry/graph/gradients.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/layer_norm.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/layers/regularize.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/gradient_processor.h"
#include "belfry/optim/momentum.h"
#include "tests/step/twins.h"

namespace belfry {
namespace {

class RandomNet {
 public:
  explicit RandomNet(unsigned number) : random_(number) {
    graph.set_seed(number);
    GraphScope as_default(graph);
    TowerContext tower("", {.is_training = true});
    dtype = one_in(5) ? kFloat64 : kFloat32;
    const int64_t size = 5 + pick(6), channels = 1 + pick(4);
    channels_first_ = one_in(4);
    image_shape = channels_first_ ? Shape{kDynamic, channels, size, size + pick(3)}
                                  : Shape{kDynamic, size, size + pick(3), channels};
    image = placeholder("image", image_shape, dtype);
    label = placeholder("label", {kDynamic}, kInt64);
    feeds = {image, label};
    build_losses();
    build_updates();
  }

  std::vector<at::Tensor> values(int64_t batch) const {
    std::vector<at::Tensor> result;
    for (const Tensor& feed : feeds) {
      Shape shape = feed.shape();
      shape[0] = batch;
      result.push_back(feed.dtype() == kInt64 ? at::randint(10, shape, at::kLong)
                                              : at::rand(shape, at::kDouble).to(feed.dtype()));
    }
    return result;
  }

  Graph graph;
  DType dtype = kFloat32;
  Shape image_shape;
  Tensor image, label;
  bool may_run_by_plan = false;
  std::vector<Tensor> feeds, fetches;

 private:
  int64_t pick(int64_t below) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(below)); }
  bool one_in(int64_t n) { return pick(n) == 0; }
  std::string fresh(const std::string& name) { return fmt::format("{}{}", name, count_++); }

  Activation activation() {
    switch (pick(8)) {
      case 0:
        return tanh;
      case 1:
        return sigmoid;
      case 2:
        return [](const Tensor& x) { return leaky_relu(x); };
      case 3:
        return [](const Tensor& x) { return elu(x); };
      case 4:
        return [this](const Tensor& x) { return relu(batch_norm(x)); };
      case 5:
        return nullptr;
      default:
        return [](const Tensor& x) { return relu(x); };
    }
  }

  std::string format() const { return channels_first_ ? "channels_first" : "channels_last"; }

  Tensor batch_norm(const Tensor& x) {
    BatchNormOptions options;
    if (x.rank() == 4) options.data_format = format();
    if (one_in(4)) options.training = false;
    if (one_in(4)) options.center = false;
    if (one_in(4)) options.scale = false;
    if (one_in(4)) options.ema_update = EmaUpdate::kSkip;
    if (one_in(10)) options.ema_update = EmaUpdate::kInternal;
    return BatchNorm(fresh("bn"), x, options);
  }

  Tensor conv(const Tensor& x, int64_t filters, int64_t strides) {
    Conv2DOptions options{.filters = filters, .kernel = 1 + 2 * pick(2), .strides = strides};
    options.data_format = format();
    options.activation = activation();
    options.use_bias = !one_in(3);
    if (one_in(3)) options.kernel_regularizer = one_in(2) ? l2_regularizer(1e-2) : l1_regularizer(1e-3);
    return Conv2D(fresh("conv"), x, options);
  }

  int64_t channels_of(const Tensor& x) const { return x.dim(channels_first_ ? 1 : 3); }
  int64_t smaller_side(const Tensor& x) const {
    return channels_first_ ? std::min(x.dim(2), x.dim(3)) : std::min(x.dim(1), x.dim(2));
  }

  Tensor image_layer(const Tensor& x) {
    const bool is_large = smaller_side(x) >= 4;
    switch (pick(11)) {
      case 0:
        return batch_norm(x);
      case 1:
        return is_large ? MaxPooling(fresh("pool"), x, {.pool = 2, .data_format = format()}) : x;
      case 2:
        return is_large ? AvgPooling(fresh("pool"), x, {.pool = 2, .data_format = format()}) : x;
      case 3:
        return Dropout(x, {.rate = 0.3, .seed = one_in(2) ? Option<int64_t>(pick(100)) : Option<int64_t>()});
      case 4:
        return x + conv(x, channels_of(x), 1);
      case 5:
        return concat({x, conv(x, 1 + pick(8), 1)}, channels_first_ ? 1 : 3);
      case 6:
        return is_large ? conv(x, 4 + pick(8), 2) : x;
      case 7:
        return one_in(2) ? LayerNorm(fresh("ln"), x, {.data_format = format()})
                         : InstanceNorm(fresh("in"), x, {.data_format = format()});
      case 8:
        return x * 0.5 + stop_gradient(tanh(x));
      case 9:
        return smaller_side(x) < 6 ? Conv2DTranspose(fresh("deconv"), x,
                                                     {.filters = 1 + pick(6),
                                                      .kernel = 3,
                                                      .strides = 1 + pick(2),
                                                      .data_format = format()})
                                   : x;
      default:
        return conv(x, 1 + pick(16), 1);
    }
  }

  Tensor flat_layer(const Tensor& x) {
    switch (pick(7)) {
      case 0:
        return batch_norm(x);
      case 1:
        return Dropout(x, {.rate = 0.5});
      case 2:
        return Maxout(FullyConnected(fresh("fc"), x, {.units = 12}), {.units = 2});
      case 3:
        return LayerNorm(fresh("ln"), x);
      case 4:
        return concat({x, shared(x), shared(x)}, 1);
      default: {
        FullyConnectedOptions options{.units = 4 + pick(20)};
        options.activation = activation();
        options.use_bias = !one_in(3);
        return FullyConnected(fresh("fc"), x, options);
      }
    }
  }

  /// The same layer used twice: its variables are shared.
  Tensor shared(const Tensor& x) {
    const std::string name = fmt::format("shared{}", count_);
    const VariableScope scope("", {.reuse = Reuse::kAuto});
    return FullyConnected(name, x, {.units = 5, .activation = [](const Tensor& y) { return tanh(y); }});
  }

  Tensor logits() {
    Tensor x = image * 2 - 1;
    for (int64_t i = 2 + pick(5); i > 0; --i) x = image_layer(x);
    middle_ = x;
    x = one_in(2) ? GlobalAvgPooling(fresh("gap"), x, {.data_format = format()}) : batch_flatten(x);
    for (int64_t i = pick(3); i > 0; --i) x = flat_layer(x);
    return FullyConnected("logits", x, {.units = 10});
  }

  void build_losses() {
    const Tensor output = logits();
    Tensor cost = mean(sparse_softmax_cross_entropy(output, label));
    if (one_in(3)) cost = cost + cast(regularize_cost(".*/W", l2_regularizer(1e-3)), dtype);
    if (one_in(3)) cost = cost + cast(regularize_cost_from_collection(), dtype);
    if (one_in(4)) cost = cost + mean(huber_loss(output, zeros_like(output)));
    if (one_in(4)) {  // a penalty on the gradient by the image: gradients of gradients
      const Tensor by_image = gradients(sum(output), {image})[0];
      cost = cost + mean(square(by_image)) * 0.1;
      may_run_by_plan = true;  // where an operator on the way has no rule, there is no second derivative
    }
    fetches = {cost};
    if (one_in(3)) fetches.push_back(mean(square(output)));
    if (one_in(4)) {  // a second loss in the same run, whose gradients nobody applies
      const Tensor other = mean(square(output - 1.0));
      fetches.push_back(gradients(other, {trainable_variables()[0].tensor()})[0] * 1.0);
    }
    if (one_in(5) && middle_ != image) {
      feeds.push_back(middle_);
      if (std::ranges::count(middle_.shape(), kDynamic) > 1) feeds.pop_back();
    }
  }

  std::unique_ptr<Optimizer> optimizer() {
    switch (pick(4)) {
      case 0:
        return std::make_unique<Adam>(AdamOptions{.learning_rate = 1e-3, .epsilon = 1e-3});
      case 1:
        return std::make_unique<Momentum>(MomentumOptions{.learning_rate = 0.01});
      case 2:
        return std::make_unique<Momentum>(MomentumOptions{.learning_rate = 0.01, .use_nesterov = true});
      default:
        return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 0.02});
    }
  }

  void build_updates() {
    std::unique_ptr<Optimizer> chosen = optimizer();
    GradientProcessors processors = {std::make_shared<FilterNoneGrad>()};
    if (one_in(3)) processors.push_back(std::make_shared<GlobalNormClip>(0.5));
    if (one_in(3)) processors.push_back(std::make_shared<ScaleGradient>(ScaleGradient({{".*/b", 2.0}})));
    if (one_in(3)) {
      processors.push_back(std::make_shared<MapGradient>(
          [](const Tensor& g, const Variable&) { return clip_by_value(g, -0.1, 0.1); }));
    }
    if (one_in(3)) processors.push_back(std::make_shared<CheckGradient>());
    chosen = apply_grad_processors(std::move(chosen), processors);
    const Tensor train = chosen->minimize(fetches[0]);
    std::vector<Tensor> work = {train};
    for (const Tensor& update : graph.collection(kUpdateOps)) work.push_back(update);
    if (one_in(3)) {
      const Variable average = get_variable("average", {}, {.dtype = dtype, .trainable = false});
      work.push_back(assign_sub(average, (average.tensor() - stop_gradient(fetches[0])) * 0.1));
    }
    fetches.push_back(group(work, "train"));
    if (one_in(3)) fetches.push_back(trainable_variables()[0].tensor());
  }

  std::mt19937 random_;
  int count_ = 0;
  bool channels_first_ = false;
  Tensor middle_;
};

class RandomNets : public testing::TestWithParam<int> {};

TEST_P(RandomNets, TrainAsThePlanDoes) {
  RandomNet net(static_cast<unsigned>(GetParam()));
  test::Twins twins(net.graph, net.feeds, net.fetches);
  const double part = net.dtype == kFloat64 ? 1e-9 : 1e-3;
  at::manual_seed(GetParam());
  twins.shake_variables(0.1);
  for (const int64_t batch : {5, 5, 3}) {
    twins.take_step(net.values(batch), part);
    if (!net.may_run_by_plan) twins.expect_compiled();
    twins.expect_same_variables(part);
    twins.copy_variables();
    if (HasFailure()) FAIL() << twins.step->describe();
  }
}

INSTANTIATE_TEST_SUITE_P(, RandomNets, testing::Range(0, 40));

}  // namespace
}  // namespace belfry
