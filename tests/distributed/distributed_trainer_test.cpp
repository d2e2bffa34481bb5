#include "belfry/train/distributed_trainer.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sin.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <thread>

#include "belfry/callbacks/inference_runner.h"
#include "belfry/callbacks/model_saver.h"
#include "belfry/callbacks/stop_on_nan.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/shuffle_data.h"
#include "belfry/dataflow/split_data.h"
#include "belfry/distributed/process_group.h"
#include "belfry/graph/graph.h"
#include "belfry/input/feed_input.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/loop/stop_on_signal.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/accum_grad_optimizer.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/gradient_processor.h"
#include "belfry/optim/momentum.h"
#include "belfry/optim/proxy_optimizer.h"
#include "belfry/train/launch.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"
#include "tests/support/ranks.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::close;
using test::in_ranks;
using test::message_of;
using test::run_ranks;
using test::TempDir;
using testing::HasSubstr;

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>()>;

/// A small convolution net on images of 6 x 6 and labels of 3 classes.
class Net : public ModelDesc {
 public:
  explicit Net(MakeOptimizer optimizer) : optimizer_(std::move(optimizer)) {}
  std::vector<TensorSpec> inputs() const override {
    return {{"image", {kDynamic, 6, 6, 2}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    const Tensor logits = image | Conv2D("conv", {.filters = 8, .kernel = 3, .activation = relu}) |
                          FullyConnected("fc0", {.units = units_, .activation = relu}) |
                          FullyConnected("fc1", {.units = classes_});
    not_in_top_k(logits, label, 1, "wrong");
    return mean(sparse_softmax_cross_entropy(logits, label), "cost");
  }
  std::unique_ptr<Optimizer> optimizer() override { return optimizer_(); }
  int64_t units_ = 40, classes_ = 3;

 private:
  MakeOptimizer optimizer_;
};

std::unique_ptr<Optimizer> sgd() {
  return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 0.1});
}

DataFromTensors images(int64_t count) {
  const at::Tensor image = at::sin(at::arange(count * 72, at::kFloat) * 0.37).view({count, 6, 6, 2});
  return DataFromTensors({image, at::arange(count) % 3});
}

using Values = std::map<std::string, at::Tensor>;

Values trained(SingleCostTrainer& trainer) {
  Values values;
  for (const auto& node : trainer.graph().nodes()) {
    if (node->kind() == NodeKind::kVariable)
      values[node->name()] = trainer.session().value(as_variable(node->output()));
  }
  return values;
}

/// What training gives after some steps on 80 images, `batch` at a time.
Values train(SingleCostTrainer&& trainer, const MakeOptimizer& optimizer, int64_t batch, int64_t steps,
             Callbacks callbacks = {}, int64_t count = 80) {
  trainer.graph().set_seed(3);
  const TrainConfig config{.model = Net(optimizer),
                           .dataflow = BatchData(images(count), batch, {.remainder = true}),
                           .steps_per_epoch = steps,
                           .max_epoch = 1,
                           .callbacks = std::move(callbacks),
                           .extra_callbacks = Callbacks(),
                           .monitors = std::vector<std::shared_ptr<Monitor>>()};
  launch_train_with_config(config, trainer);
  return trained(trainer);
}

void expect_same(const Values& here, const Values& there, double tolerance) {
  ASSERT_EQ(here.size(), there.size());
  for (const auto& [name, value] : here) {
    EXPECT_TRUE(close(value, there.at(name), {.relative = tolerance, .absolute = tolerance})) << name;
  }
}

// Two processes with batches of 8 are one with batches of 16, whose every other half is the second's.

class Optimizers : public testing::TestWithParam<int> {};

MakeOptimizer optimizer_number(int i) {
  return [i]() -> std::unique_ptr<Optimizer> {
    if (i == 0) return sgd();
    if (i == 1) return std::make_unique<Momentum>(MomentumOptions{.learning_rate = 0.05, .momentum = 0.9});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 1e-2, .epsilon = 1e-3});
  };
}

TEST_P(Optimizers, TrainAsOneProcessWithTheWholeBatch) {
  if (!in_ranks(2)) return;
  const MakeOptimizer optimizer = optimizer_number(GetParam());
  const Values alone = train(SimpleTrainer(), optimizer, 16, 20);
  for (const bool compile : {true, false}) {
    const Values together = train(DistributedTrainer({.step = {.compile = compile}}), optimizer, 8, 20);
    expect_same(together, alone, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Distributed, Optimizers, testing::Range(0, 3));

TEST(DistributedTrainer, ProcessesWhatIsReduced) {
  if (!in_ranks(2)) return;
  const auto clipped = [] { return apply_grad_processors(optimizer_number(1)(), GlobalNormClip(0.05)); };
  expect_same(train(DistributedTrainer(), clipped, 8, 20), train(SimpleTrainer(), clipped, 16, 20), 1e-5);
}

TEST(DistributedTrainer, ReducesSumsOfStepsOnce) {
  if (!in_ranks(2)) return;
  const auto accumulating = [] { return std::make_unique<AccumGradOptimizer>(optimizer_number(1)(), 4); };
  const Values alone = train(SimpleTrainer(), accumulating, 16, 20);
  for (const bool compile : {true, false}) {
    const GroupTraffic before = process_group().traffic();
    const Values together = train(DistributedTrainer({.step = {.compile = compile}}), accumulating, 8, 20);
    const GroupTraffic accumulated = process_group().traffic();
    expect_same(together, alone, 1e-5);
    train(DistributedTrainer({.step = {.compile = compile}}), optimizer_number(1), 8, 20);
    const GroupTraffic each = process_group().traffic();
    const int64_t gradients = 20 * 11835 * 4;  // bytes of those of 20 steps
    EXPECT_LT(accumulated.bytes - before.bytes, gradients / 4 + 500000);
    EXPECT_GT(each.bytes - accumulated.bytes, gradients);
  }
}

TEST(DistributedTrainer, RefusesAnOptimizerThatWouldTrainAlone) {
  if (!in_ranks(2)) return;
  class Deaf : public ProxyOptimizer {
   public:
    Deaf() : ProxyOptimizer(sgd()) {}
    Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions&) override {
      return inner().apply_gradients(gradients, {});
    }
  };
  const auto deaf = [] { return std::make_unique<Deaf>(); };
  EXPECT_THAT(message_of<UsageError>([&] { train(DistributedTrainer(), deaf, 8, 2); }),
              HasSubstr("every process would train alone"));
}

TEST(DistributedTrainer, SumsWhereItDoesNotAverage) {
  if (!in_ranks(2)) return;
  const auto half = [] {
    return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 0.05});
  };
  expect_same(train(DistributedTrainer({.reduction = {.average = false}}), half, 8, 10),
              train(SimpleTrainer(), sgd, 16, 10), 1e-5);
}

TEST(DistributedTrainer, SendsBucketsOfAnySize) {
  if (!in_ranks(3)) return;
  const Values expected = train(SimpleTrainer(), sgd, 24, 6, {}, 72);
  for (const int64_t bytes : {0, 100, 4000, 1 << 24}) {
    expect_same(train(DistributedTrainer({.reduction = {.bucket_bytes = bytes}}), sgd, 8, 6, {}, 72),
                expected, 1e-5);
  }
}

TEST(DistributedTrainer, CompressesWhatItSends) {
  if (!in_ranks(2)) return;
  const Values expected = train(SimpleTrainer(), sgd, 16, 10);
  const GroupTraffic before = process_group().traffic();
  expect_same(train(DistributedTrainer({.reduction = {.compression = Compression::kBFloat16}}), sgd, 8, 10),
              expected, 2e-2);
  const GroupTraffic between = process_group().traffic();
  expect_same(train(DistributedTrainer({.reduction = {.compression = Compression::kFloat16}}), sgd, 8, 10),
              expected, 2e-3);
  train(DistributedTrainer(), sgd, 8, 10);
  EXPECT_LT(between.bytes - before.bytes, (process_group().traffic().bytes - between.bytes) * 0.5);
}

TEST(DistributedTrainer, GivesAllRanksTheSameBits) {
  if (!in_ranks(3)) return;
  const Values values = train(DistributedTrainer(), sgd, 8, 5);
  for (const auto& [name, value] : values) {
    if (value.dim() == 0) continue;
    const at::Tensor all = process_group().all_gather(value.contiguous());
    EXPECT_TRUE(all.narrow(0, 0, value.size(0)).equal(value)) << name;
  }
}

TEST(DistributedTrainer, IsASimpleTrainerInOneProcess) {
  DistributedTrainer trainer;
  EXPECT_FALSE(trainer.is_distributed());
  EXPECT_TRUE(trainer.is_chief());
  expect_same(train(DistributedTrainer(), sgd, 16, 3), train(SimpleTrainer(), sgd, 16, 3), 0);
}

TEST(DistributedTrainer, SaysThatThereIsNoGpu) {
  if (at::hasCUDA() && at::getNumGPUs() > 0) GTEST_SKIP() << "there is one";
  EXPECT_THAT(message_of<UsageError>([] { DistributedTrainer({.device = c10::kCUDA}); }),
              HasSubstr("expected a GPU for the process of local rank 0, got 0 of them"));
}

TEST(DistributedTrainer, NamesWhatDiffersBetweenModels) {
  if (!in_ranks(2)) return;
  DistributedTrainer trainer;
  Net net(sgd);
  net.units_ = 40 + rank();
  const TrainConfig config{.model = net, .dataflow = BatchData(images(16), 8), .max_epoch = 1};
  EXPECT_THAT(
      message_of<UsageError>([&] { launch_train_with_config(config, trainer); }),
      HasSubstr("variable 'fc0/W' float32 [288, 40] in rank 0 and variable 'fc0/W' float32 [288, 41]"));
}

/// Two costs with variables and optimizers of their own, in two runs a step.
class TwoPlayers : public TowerTrainer {
 public:
  TwoPlayers(bool together, int64_t batch) {
    if (together) train_in_all_processes({.shared_data = true});
    graph().set_seed(3);
    set_tower_func(TowerFunc(
        [](const TowerInputs& in) {
          const Tensor a = FullyConnected("a", in["image"], {.units = 5, .activation = tanh});
          const Tensor b = FullyConnected("b", a, {.units = 3});
          const Tensor cost = mean(sparse_softmax_cross_entropy(b, in["label"]));
          identity(cost, "b_cost");
          identity(mean(square(a)) - cost * 0.5, "a_cost");
          return Tensor();
        },
        Net(sgd).inputs()));
    AnyDataFlow data = BatchData(images(80), batch);
    if (together) data = SplitData(data, {.part = rank(), .num_part = world_size()});
    set_input(FeedInput(data));
    build_training_tower();
    GraphScope as_default(graph());
    for (const std::string name : {"a", "b"}) {
      auto optimizer = optimizer_number(1)();
      if (together) optimizer = distributed_optimizer(std::move(optimizer));
      std::vector<Variable> variables = trainable_variables();
      std::erase_if(variables, [&](const Variable& v) { return !v.name().starts_with(name + "/"); });
      plays_.push_back(
          optimizer->minimize(graph().tensor(name + "_cost"), variables, {.name = "play_" + name}));
    }
  }

 private:
  void run_step() override {
    const std::vector<at::Tensor> batch = next_batch();
    run({plays_[0]}, batch);
    run_hooked({plays_[1]}, batch);
  }
  std::vector<Tensor> plays_;
};

TEST(DistributedTrainer, LetsTrainersOfSeveralCostsDoTheSame) {
  if (!in_ranks(2)) return;
  const auto values_after_training = [](TwoPlayers&& trainer) {
    trainer.train({.loop = {.steps_per_epoch = 10, .max_epoch = 2}});
    Values values;
    for (const auto& node : trainer.graph().nodes()) {
      if (node->kind() == NodeKind::kVariable)
        values[node->name()] = trainer.session().value(as_variable(node->output()));
    }
    return values;
  };
  expect_same(values_after_training(TwoPlayers(true, 8)), values_after_training(TwoPlayers(false, 16)), 1e-5);
}

// Stops

/// Throws, once, after that step of that rank.
class StopAt : public Callback {
 public:
  StopAt(int who, int64_t step, std::function<void()> what)
      : who_(who), step_(step), what_(std::move(what)) {}
  std::string name() const override { return "StopAt"; }
  bool chief_only() const override { return false; }
  void trigger_step() override {
    if (rank() == who_ && trainer().global_step() == step_) what_();
  }

 private:
  int who_;
  int64_t step_;
  std::function<void()> what_;
};

/// Trains 20 steps at most, stopped by `what` in rank 1 after step 5; all must end alike, with a checkpoint.
void expect_stop(const std::function<void(Trainer&)>& what, EndReason reason) {
  const std::string folder = process_group().broadcast(rank() == 0 ? TempDir() / "log" : std::string());
  DistributedTrainer trainer;
  const TrainConfig config{.model = Net(sgd),
                           .dataflow = BatchData(images(80), 8),
                           .steps_per_epoch = 20,
                           .max_epoch = 3,
                           .callbacks = callbacks(ModelSaver(), StopAt(1, 5, [&] { what(trainer); })),
                           .extra_callbacks = Callbacks(),
                           .monitors = std::vector<std::shared_ptr<Monitor>>(),
                           .log_dir = folder};
  const TrainingEnd end = launch_train_with_config(config, trainer);
  EXPECT_EQ(end.reason, reason) << end.message;
  EXPECT_THAT(end.message, HasSubstr("rank 1"));
  const at::Tensor steps = process_group().all_gather(at::full({1}, trainer.global_step(), at::kLong));
  EXPECT_TRUE(steps.eq(steps[0]).all().item<bool>()) << steps;
  EXPECT_LE(trainer.global_step(), 7);
  barrier();
  EXPECT_TRUE(std::ifstream(fmt::format("{}/model-{}.index", folder, trainer.global_step())).good());
}

TEST(DistributedTrainer, StopsAllWhereOneThrowsStopTraining) {
  if (!in_ranks(3)) return;
  expect_stop([](Trainer&) { throw StopTraining("enough"); }, EndReason::kStopTraining);
}

TEST(DistributedTrainer, StopsAllWhereOneIsAskedTo) {
  if (!in_ranks(3)) return;
  expect_stop([](Trainer& trainer) { trainer.request_stop(); }, EndReason::kStopRequested);
}

TEST(DistributedTrainer, StopsAllWhereOneGetsASignal) {
  if (!in_ranks(2)) return;
  expect_stop(
      [](Trainer& trainer) {
        static std::unique_ptr<StopOnSignal> stop;
        stop = std::make_unique<StopOnSignal>(trainer);
        raise(SIGTERM);
        while (!trainer.stop_requested()) std::this_thread::yield();
      },
      EndReason::kStopRequested);
}

TEST(DistributedTrainer, StopsAllWhereTheDataOfOneEnds) {
  if (!in_ranks(2)) return;
  DistributedTrainer trainer;
  const int64_t count = rank() == 0 ? 80 : 40;
  const TrainConfig config{.model = Net(sgd),
                           .data = FeedInput(BatchData(images(count), 8), {.infinite = false}),
                           .steps_per_epoch = 100,
                           .extra_callbacks = Callbacks(),
                           .monitors = std::vector<std::shared_ptr<Monitor>>()};
  EXPECT_EQ(launch_train_with_config(config, trainer).reason, EndReason::kEndOfData);
  EXPECT_EQ(trainer.global_step(), 5);
}

TEST(DistributedTrainer, EndsAllWhereOneFails) {
  if (!test::is_rank()) {
    const auto ends = run_ranks(3, std::chrono::seconds(60));
    for (const auto& end : ends) EXPECT_NE(end.code, 0) << end.output;
    EXPECT_THAT(ends[1].output, HasSubstr("no disk"));
    EXPECT_THAT(ends[0].output, HasSubstr("lost another process"));
    EXPECT_THAT(ends[2].output, HasSubstr("lost another process"));
    return;
  }
  train(DistributedTrainer(), sgd, 8, 1000, callbacks(StopAt(1, 5, [] { throw DataError("no disk"); })));
}

TEST(DistributedTrainer, EndsTheOthersWhereOneIsKilled) {
  if (!test::is_rank()) {
    const auto ends = run_ranks(3, std::chrono::seconds(60));
    EXPECT_EQ(ends[1].code, -SIGKILL);
    for (const int other : {0, 2}) {
      EXPECT_GT(ends[static_cast<size_t>(other)].code, 0);
      EXPECT_THAT(ends[static_cast<size_t>(other)].output, HasSubstr("lost another process"));
    }
    return;
  }
  train(DistributedTrainer(), sgd, 8, 1000, callbacks(StopAt(1, 5, [] { raise(SIGKILL); })));
}

TEST(DistributedTrainer, EndsTheOthersWhereOneIsStuck) {
  if (!test::is_rank()) {
    const auto ends = run_ranks(2, std::chrono::seconds(20));
    EXPECT_EQ(ends[1].code, -SIGKILL);  // by this test, at last
    EXPECT_GT(ends[0].code, 0);
    EXPECT_LT(ends[0].seconds, 15);
    EXPECT_THAT(ends[0].output, HasSubstr("waited longer than the time-out"));
    return;
  }
  init_process_group({.timeout = std::chrono::seconds(3)});
  train(DistributedTrainer(), sgd, 8, 1000, callbacks(StopAt(1, 5, [] { raise(SIGSTOP); })));
}

/// Lets the cost of one rank be NaN from a step on.
class BadLabels : public DataFlow {
 public:
  DataIterator start_pass(int64_t) override {
    return DataIterator([n = 0]() mutable -> std::optional<Datapoint> {
      at::Tensor image = at::sin(at::arange(8 * 72, at::kFloat)).view({8, 6, 6, 2});
      if (++n > 4 && rank() == 1) image[0][0][0][0] = NAN;
      return Datapoint{image, at::arange(8) % 3};
    });
  }
};

TEST(DistributedTrainer, StopsAllWhereOneMeetsNaN) {
  if (!in_ranks(2)) return;
  for (const bool compile : {true, false}) {
    DistributedTrainer trainer({.step = {.compile = compile}});
    const TrainConfig config{.model = Net(sgd),
                             .data = FeedInput(BadLabels()),
                             .steps_per_epoch = 100,
                             .max_epoch = 1,
                             .extra_callbacks = callbacks(StopOnNaN()),
                             .monitors = std::vector<std::shared_ptr<Monitor>>()};
    EXPECT_EQ(launch_train_with_config(config, trainer).reason, EndReason::kNotFinite);
    EXPECT_GE(trainer.global_step(), 5);
    EXPECT_LE(trainer.global_step(), 7);
    const at::Tensor steps = process_group().all_gather(at::full({1}, trainer.global_step(), at::kLong));
    EXPECT_TRUE(steps.eq(steps[0]).all().item<bool>()) << steps;
  }
}

// Resumption

/// Which images were trained with, by their first pixel, over all ranks and runs.
class Seen : public Callback {
 public:
  explicit Seen(std::vector<float>& seen) : seen_(&seen) {}
  std::string name() const override { return "Seen"; }
  bool chief_only() const override { return false; }
  std::vector<Tensor> before_run() override { return get_tensors_maybe_in_tower({"label"}); }
  void after_run(const std::vector<at::Tensor>& values) override {
    for (const at::Tensor& all : process_group().all_gather(values[0]).split(1))
      seen_->push_back(all.item().toFloat());
  }

 private:
  std::vector<float>* seen_;
};

/// Trains on images of labels 0 to 79 until some step, going on where the last run ended.
Values train_until(int64_t steps, const std::string& folder, std::vector<float>& seen) {
  DistributedTrainer trainer;
  trainer.graph().set_seed(3);
  Net net(sgd);
  net.classes_ = 80;
  TrainConfig config{
      .model = net,
      .dataflow =
          BatchData(ShuffleData(DataFromTensors(
                        {at::sin(at::arange(80 * 72, at::kFloat)).view({80, 6, 6, 2}), at::arange(80)})),
                    4),
      .max_epoch = 2,
      .callbacks = callbacks(ModelSaver(), Seen(seen), StopAt(0, steps, [&] { trainer.request_stop(); })),
      .extra_callbacks = Callbacks(),
      .monitors = std::vector<std::shared_ptr<Monitor>>(),
      .log_dir = folder};
  launch_train_with_config(AutoResumeTrainConfig(config), trainer);
  return trained(trainer);
}

TEST(DistributedTrainer, GoesOnInTheMiddleOfAnEpoch) {
  if (!in_ranks(2)) return;
  const TempDir own;
  const std::string folder = process_group().broadcast(own.path());
  std::vector<float> interrupted, whole;
  train_until(4, folder + "/a", interrupted);
  barrier();
  const Values resumed = train_until(-1, folder + "/a", interrupted);
  const Values expected = train_until(-1, folder + "/b", whole);
  EXPECT_EQ(interrupted, whole);
  EXPECT_EQ(whole.size(), 160U);
  expect_same(resumed, expected, 0);
  barrier();
}

TEST(DistributedTrainer, GoesOnWithTheRestInAnotherNumberOfProcesses) {
  constexpr char kFolder[] = "BELFRY_TEST_FOLDER";
  const TempDir own;
  if (!test::is_rank()) setenv(kFolder, own.path().c_str(), 1);
  const std::string folder = std::getenv(kFolder);
  std::vector<float> seen;
  if (in_ranks(2)) {
    train_until(4, folder, seen);
    if (rank() == 0) std::ofstream(folder + "/seen") << fmt::format("{}", fmt::join(seen, " "));
    return;
  }
  std::ifstream file(folder + "/seen");
  seen.assign(std::istream_iterator<float>(file), {});
  ASSERT_GT(seen.size(), 0U);
  ASSERT_LT(seen.size(), 80U);
  train_until(-1, folder, seen);
  ASSERT_GE(seen.size(), 80U);
  std::sort(seen.begin(), seen.begin() + 80);
  for (int i = 0; i < 80; ++i) EXPECT_EQ(seen[i], i) << "of the first pass";
}

// Evaluation

/// An inferencer of a user's own: it keeps the sum of the labels, and in which order they came.
class Labels : public Inferencer {
 public:
  std::vector<std::string> get_fetches() const override { return {"label", "wrong"}; }
  void before_inference() override { labels_.clear(); }
  void on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) override {
    EXPECT_EQ(values[0].size(0), batch_size);
    labels_.push_back(values[0]);
  }
  std::map<std::string, double> after_inference() override {
    const at::Tensor all = at::cat(labels_);
    EXPECT_TRUE(all.equal(at::arange(all.size(0)) % 3));
    return {{"samples", static_cast<double>(all.size(0))}};
  }

 private:
  std::vector<at::Tensor> labels_;
};

TEST(DistributedTrainer, EvaluatesEachSampleOnce) {
  if (!in_ranks(3)) return;
  std::map<std::string, double> results[2];
  for (const bool together : {true, false}) {
    for (const bool as_input : {false, true}) {
      std::unique_ptr<SingleCostTrainer> trainer;
      if (together) trainer = std::make_unique<DistributedTrainer>();
      if (!together) trainer = std::make_unique<SimpleTrainer>();
      trainer->graph().set_seed(3);
      const BatchData data(images(1000), 12, {.remainder = true});  // 84 batches, the last of 4
      const Inferencers inferencers = {ScalarStats("cost"), ClassificationError("wrong", "error"), Labels()};
      const auto runner =
          as_input ? std::make_shared<InferenceRunner>(FeedInput(data, {.infinite = false}), inferencers)
                   : std::make_shared<InferenceRunner>(data, inferencers);
      const TrainConfig config{.model = Net(sgd),
                               .dataflow = BatchData(images(80), 8),
                               .steps_per_epoch = 0,
                               .max_epoch = 1,
                               .callbacks = {runner},
                               .extra_callbacks = Callbacks(),
                               .monitors = std::vector<std::shared_ptr<Monitor>>()};
      launch_train_with_config(config, *trainer);
      for (const std::string& tag : trainer->monitors().tags())
        results[together][tag] = trainer->monitors().get_latest(tag)->value;
      EXPECT_EQ(results[together].at("samples"), 1000);
    }
  }
  EXPECT_EQ(results[0].at("error"), results[1].at("error"));
  EXPECT_NEAR(results[0].at("validation_cost"), results[1].at("validation_cost"), 1e-9);
}

}  // namespace
}  // namespace belfry
