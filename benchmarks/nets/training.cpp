#include "nets/training.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <map>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/distributed/process_group.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/momentum.h"
#include "belfry/train/reduce_gradients.h"
#include "nets/dcgan.h"
#include "nets/formula.h"
#include "nets/language_model.h"
#include "nets/least_work.h"
#include "nets/nets.h"

namespace belfry::benchmarks {

/// A cost with what is fed for it, and the variables that its optimizer changes.
struct Training::Cost {
  Tensor cost;
  std::vector<Tensor> inputs;
  std::vector<at::Tensor> feeds;
  std::string scope = {};  ///< of the variables; "": all
  std::unique_ptr<Optimizer> optimizer;
};

namespace {

std::unique_ptr<Optimizer> adam(double rate) {
  return std::make_unique<Adam>(AdamOptions{.learning_rate = rate});
}
/// tensorpack's example has this large epsilon.
std::unique_ptr<Optimizer> dcgan_adam() {
  return std::make_unique<Adam>(AdamOptions{.learning_rate = 2e-4, .beta1 = 0.5, .epsilon = 1e-3});
}
std::unique_ptr<Optimizer> momentum(double rate) {
  return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate});
}

struct Classifier {
  Shape sample;
  int64_t classes;
  std::unique_ptr<Optimizer> (*optimizer)();
};

const std::map<std::string, Classifier> kClassifiers = {
    {"mnist", {{28, 28, 1}, 10, [] { return adam(1e-3); }}},
    {"cifar", {{32, 32, 3}, 10, [] { return momentum(0.01); }}},
    {"resnet50", {{224, 224, 3}, 1000, [] { return momentum(3e-6); }}},
    {"mobilenet_v2", {{224, 224, 3}, 1000, [] { return momentum(3e-5); }}},
    {"transformer", {{128, 256}, 10, [] { return adam(1e-4); }}},
};

constexpr int64_t kSteps = 35;
constexpr int64_t kNoise = 100;

Tensor mean_cross_entropy(const Tensor& logits, const Tensor& labels) {
  return mean(sparse_softmax_cross_entropy(logits, labels));
}

}  // namespace

std::vector<Training::Cost> Training::build_classifier(const TrainingOptions& options) {
  const auto known = kClassifiers.find(options.net);
  if (known == kClassifiers.end()) throw UsageError(fmt::format("no net \"{}\"", options.net));
  const Classifier& net = known->second;
  Shape shape = net.sample;
  shape.insert(shape.begin(), options.batch);
  const Tensor image = placeholder("image", shape), label = placeholder("label", {options.batch}, kInt64);
  Tensor logits = nets().at(options.net)(image);
  if (logits.rank() == 3) logits = FullyConnected("linear", mean(logits, {1}), {.units = net.classes});
  std::vector<Cost> costs;
  costs.push_back(
      {.cost = mean_cross_entropy(logits, label),
       .inputs = {image, label},
       .feeds = {formula_floats("image", shape), formula_integers("label", {options.batch}, net.classes)},
       .optimizer = net.optimizer()});
  return costs;
}

std::vector<Training::Cost> Training::build_language_model(const TrainingOptions& options) {
  const Shape shape = {options.batch, kSteps};
  const Tensor words = placeholder("words", shape, kInt64), next = placeholder("next", shape, kInt64);
  const Tensor cost = mean_cross_entropy(language_model(words), reshape(transpose(next, {1, 0}), {-1}));
  std::vector<Cost> costs;
  costs.push_back(
      {.cost = cost,
       .inputs = {words, next},
       .feeds = {formula_integers("words", shape, kWords), formula_integers("next", shape, kWords)},
       .optimizer = std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 10})});
  return costs;
}

std::vector<Training::Cost> Training::build_dcgan(const TrainingOptions& options) {
  const Tensor noise = placeholder("noise", {options.batch, kNoise});
  const Tensor real = placeholder("image", {options.batch, 64, 64, 3});
  Tensor fake, real_logits, fake_logits;
  {
    VariableScope scope("gen");
    fake = dcgan_generator(noise);
  }
  {
    VariableScope scope("discrim");
    real_logits = dcgan_discriminator(real);
  }
  {
    VariableScope scope("discrim", {.reuse = Reuse::kReuse});
    fake_logits = dcgan_discriminator(fake);
  }
  auto cost = [](const Tensor& logits, double target) {
    return mean(sigmoid_cross_entropy(logits, ones_like(logits) * target));
  };
  const at::Tensor noises = formula_floats("noise", noise.shape());
  std::vector<Cost> costs;
  costs.push_back({.cost = cost(fake_logits, 1),
                   .inputs = {noise},
                   .feeds = {noises},
                   .scope = "gen/",
                   .optimizer = dcgan_adam()});
  costs.push_back({.cost = (cost(real_logits, 1) + cost(fake_logits, 0)) * 0.5,
                   .inputs = {noise, real},
                   .feeds = {noises, formula_floats("image", real.shape())},
                   .scope = "discrim/",
                   .optimizer = dcgan_adam()});
  return costs;
}

Training::Training(const TrainingOptions& options) : has_dropout_(options.dropout && options.net == "mnist") {
  GraphScope as_default(*graph_);
  TowerContext tower("", {.is_training = true});
  std::optional<ArgScope> no_dropout;
  if (!options.dropout) no_dropout.emplace(DropoutOptions{.rate = 0.0});
  std::vector<Cost> costs = options.net == "dcgan"  ? build_dcgan(options)
                            : options.net == "lstm" ? build_language_model(options)
                                                    : build_classifier(options);

  std::vector<Tensor> work;
  for (Cost& part : costs) {
    part.optimizer = distributed_optimizer(std::move(part.optimizer));
    std::vector<Variable> variables = trainable_variables();
    std::erase_if(variables, [&](const Variable& v) { return !v.name().starts_with(part.scope); });
    std::vector<Tensor> updates = {
        part.optimizer->minimize(part.cost, variables, {.name = part.scope + "train"})};
    for (const Tensor& update : graph_->collection(kUpdateOps))
      if (update.op_name().starts_with(part.scope)) updates.push_back(update);
    work.push_back(group(updates));
    work_ += least_work(part.cost, variables);
  }
  session_ = std::make_unique<Session>(*graph_);
  for (const Variable& variable : trainable_variables())
    session_->set_value(variable, formula_weights(variable.name(), variable.shape()));
  session_->initialize_variables();
  StepCompiler compiler(*session_, options.step);
  if (world_size() > 1) {
    compiler.set_agreement([](bool here) {
      return process_group()
                 .all_reduce(at::full({1}, here ? 1 : 0, at::kLong), ReduceOp::kMin)
                 .item<int64_t>() == 1;
    });
  }
  for (size_t i = 0; i < costs.size(); ++i) {
    const std::vector<Fetch> inputs(costs[i].inputs.begin(), costs[i].inputs.end());
    parts_.push_back({compiler.compile(inputs, {work[i], costs[i].cost}), costs[i].feeds});
  }
}

std::vector<double> Training::step() {
  if (wait_for_others_) wait_for_others_();
  if (world_size() > 1) wait_for_others_ = process_group().start_all_reduce(at::full({1}, 0, at::kLong));
  std::vector<double> losses;
  for (const Part& part : parts_) losses.push_back(part.run(part.feeds)[1].item<float>());
  return losses;
}

std::vector<ProfiledStep> Training::profile() {
  std::vector<ProfiledStep> result;
  for (const Part& part : parts_)
    for (ProfiledStep& step : part.run.profile(part.feeds)) result.push_back(std::move(step));
  return result;
}

}  // namespace belfry::benchmarks
