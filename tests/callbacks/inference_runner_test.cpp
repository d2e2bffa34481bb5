#include "belfry/callbacks/inference_runner.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "belfry/base/error.h"
#include "belfry/callbacks/data_parallel_inference_runner.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/map_data.h"
#include "belfry/dataflow/raw.h"
#include "belfry/dataflow/repeated_data.h"
#include "belfry/input/queue_input.h"
#include "belfry/input/tensor_input.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kSamples = 1000, kBatch = 64;
/// 0 + 1 + ... + 999, over 1000.
constexpr double kMean = 499.5;
/// Every third sample is wrong: 0, 3, ..., 999.
constexpr double kError = 334 / 1000.;

/// 1,000 samples {i} in batches of 64; the last has 40.
AnyDataFlow batches() {
  return BatchData(DataFromTensors({at::arange(kSamples, at::kFloat)}), kBatch, {.remainder = true});
}

/// loss = mean(x) * scale, a vector of samples that are wrong, and whether the tower trains.
Tensor model(const TowerInputs& in) {
  Graph& graph = default_graph();
  const Variable scale = get_variable("scale", {}, {.dtype = kInt64});
  const Tensor mean = graph.add("aten::mean", {in["x"]}).output();
  graph.add("aten::mul.Tensor", {mean, current_tower_context().is_training() ? mean : Tensor(scale)}, {},
            "loss");
  const Tensor rest = graph.add("aten::remainder.Scalar", {in["x"]}, {{"other", 3}}).output();
  graph.add("aten::eq.Scalar", {rest}, {{"other", 0}}, "wrong");
  return {};
}

/// Keeps the sizes of the batches that it was given, and the first sample of each.
class Batches : public Inferencer {
 public:
  std::vector<std::string> get_fetches() const override { return {"x"}; }
  void before_inference() override { sizes.clear(), first.clear(); }
  void on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) override {
    sizes.push_back(batch_size);
    first.push_back(values[0][0].item<int64_t>());
  }
  std::map<std::string, double> after_inference() override {
    return {{"batches", static_cast<double>(sizes.size())}};
  }

  std::vector<int64_t> sizes, first;
};

struct InferenceRunnerTest : testing::Test {
  InferenceRunnerTest() { trainer.set_tower_func(model, {{"x", {kDynamic}}}); }

  void train(Callbacks callbacks, int64_t epochs = 1) {
    trainer.train({.callbacks = std::move(callbacks), .loop = {.steps_per_epoch = 1, .max_epoch = epochs}});
  }
  double latest(const std::string& tag) { return trainer.monitors().get_latest(tag).value().value; }

  /// Sets the variable that the loss is multiplied by; it is 0 at first.
  AtEpochEnd set_scale(int64_t scale) {
    return AtEpochEnd([scale](Trainer& t) {
      t.session().set_value(Variable(t.graph().find_variable("scale")), at::scalar_tensor(scale, at::kLong));
    });
  }

  void expect_exact_results() {
    EXPECT_DOUBLE_EQ(latest("validation_loss"), kMean);
    EXPECT_DOUBLE_EQ(latest("val-error"), kError);
    EXPECT_EQ(seen->sizes.size(), 16u);
    EXPECT_EQ(seen->sizes.back(), 40);
    for (size_t i = 0; i < seen->first.size(); ++i)
      EXPECT_EQ(seen->first[i], static_cast<int64_t>(i) * kBatch);
  }

  TinyTrainer trainer;
  std::shared_ptr<Batches> seen = std::make_shared<Batches>();
  Inferencers inferencers = {ScalarStats("loss"), ClassificationError("wrong", "val-error"), seen};
};

TEST_F(InferenceRunnerTest, TheRemainderCountsAsWhatItIs) {
  train(callbacks(set_scale(1), InferenceRunner(batches(), inferencers)));
  expect_exact_results();
}

TEST_F(InferenceRunnerTest, ParallelEvaluationGivesTheSameInTheSameOrder) {
  const std::vector<c10::Device> devices(3, c10::kCPU);
  train(callbacks(set_scale(1), DataParallelInferenceRunner(batches(), inferencers, devices)));
  expect_exact_results();
}

TEST_F(InferenceRunnerTest, WithoutPrefetchingItIsTheSame) {
  train(callbacks(set_scale(1), InferenceRunner(batches(), inferencers, {.prefetch = 0})));
  expect_exact_results();
}

TEST_F(InferenceRunnerTest, AnEndlessInputIsRunForItsSize) {
  train(callbacks(set_scale(1), InferenceRunner(QueueInput(batches()), inferencers)), 2);
  expect_exact_results();
}

TEST_F(InferenceRunnerTest, ParallelEvaluationTakesAnInputToo) {
  const std::vector<c10::Device> devices(3, c10::kCPU);
  train(callbacks(set_scale(1), DataParallelInferenceRunner(QueueInput(batches()), inferencers, devices)), 2);
  expect_exact_results();
}

TEST_F(InferenceRunnerTest, ParallelEvaluationWithoutPrefetchingIsTheSame) {
  const std::vector<c10::Device> devices(3, c10::kCPU);
  train(
      callbacks(set_scale(1), DataParallelInferenceRunner(batches(), inferencers, devices, {.prefetch = 0})));
  expect_exact_results();
}

TEST_F(InferenceRunnerTest, AnInputThatEndsIsRunToItsEndWhateverItsSizeSays) {
  struct SaysThree : ProxyDataFlow {
    explicit SaysThree(AnyDataFlow source) : ProxyDataFlow(std::move(source)) {}
    DataIterator start_pass(int64_t pass) override { return source_->start_pass(pass); }
    std::optional<int64_t> size() const override { return 3; }
  };
  test::LogLines log;
  train(callbacks(set_scale(1),
                  InferenceRunner(QueueInput(SaysThree(batches()), {.infinite = false}), inferencers)));
  expect_exact_results();
  EXPECT_THAT(log.text(), HasSubstr("ended after 16 batches, its size says 3"));
}

TEST_F(InferenceRunnerTest, AnInputOfTheGraphIsRunForItsSize) {
  auto ones = [] {
    return std::vector<Tensor>{default_graph().add("aten::ones", {}, {{"size", Shape{5}}}).output()};
  };
  train(callbacks(InferenceRunner(TensorInput(ones, 7), {seen})));
  EXPECT_EQ(latest("batches"), 7);
}

TEST_F(InferenceRunnerTest, AnInputThatNeverEndsIsAnError) {
  const Shape shape = {5};
  EXPECT_THROW(train(callbacks(InferenceRunner(DummyConstantInput({shape}), inferencers))), UsageError);
}

TEST_F(InferenceRunnerTest, TwoTowersOfOneNameAreAnError) {
  try {
    train(callbacks(InferenceRunner(batches(), inferencers), InferenceRunner(batches(), inferencers)));
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("expected a tower_name of its own, got 'InferenceTower'"));
  }
}

TEST_F(InferenceRunnerTest, InferencersMayLookAtTheTrainerBeforeTheyChooseTheirTensors) {
  struct First : Batches {
    void setup_graph() override {
      ++setups;
      names = {trainer().tower_func()->signature()[0].name};
    }
    std::vector<std::string> get_fetches() const override { return names; }
    std::vector<std::string> names;
    int setups = 0;
  };
  const std::vector<c10::Device> devices(3, c10::kCPU);
  auto alone = std::make_shared<First>(), parallel = std::make_shared<First>();
  train(callbacks(InferenceRunner(batches(), {alone}),
                  DataParallelInferenceRunner(batches(), {parallel}, devices)));
  EXPECT_EQ(alone->setups + parallel->setups, 2);
  EXPECT_EQ(alone->first, parallel->first);
}

TEST_F(InferenceRunnerTest, AnInferencerIsACallbackOfTheTrainer) {
  struct Hooks : Batches {
    void setup_graph() override { calls.push_back("setup_graph"); }
    void before_train() override { calls.push_back(fmt::format("before_train {}", trainer().epoch_num())); }
    void after_train() override { calls.push_back(fmt::format("after_train {}", trainer().epoch_num())); }
    std::vector<std::string> calls;
  };
  auto hooks = std::make_shared<Hooks>();
  train(callbacks(InferenceRunner(batches(), {hooks})), 2);
  EXPECT_THAT(hooks->calls, testing::ElementsAre("setup_graph", "before_train 0", "after_train 2"));
}

TEST_F(InferenceRunnerTest, AHookGetsTheValuesOfEachBatch) {
  struct Hook : Callback {
    std::string name() const override { return "Hook"; }
    std::vector<Tensor> before_run() override {
      return {trainer().tower_func()->find_tower("InferenceTower")->tensor("loss")};
    }
    void after_run(const std::vector<at::Tensor>& values) override {
      losses.push_back(values[0].item<double>());
    }
    std::vector<double> losses;
  };
  auto hook = std::make_shared<Hook>();
  InferenceRunner runner(batches(), {ScalarStats("loss")});
  runner.register_hook(hook);
  auto shared = std::make_shared<InferenceRunner>(std::move(runner));
  train(callbacks(set_scale(1), shared));
  EXPECT_GT(hook->losses.size(), 1u);
  EXPECT_THROW(shared->register_hook(hook), UsageError);
}

TEST_F(InferenceRunnerTest, SeesTheValuesThatTheVariablesHaveThen) {
  train(callbacks(InferenceRunner(batches(), inferencers), set_scale(2)), 2);
  EXPECT_EQ(trainer.monitors().get_history("validation_loss")[0].value, 0);
  EXPECT_DOUBLE_EQ(latest("validation_loss"), 2 * kMean);
}

TEST_F(InferenceRunnerTest, SeveralRunnersWithTowersOfTheirOwn) {
  const AnyDataFlow few = BatchData(DataFromTensors({at::arange(6, at::kFloat)}), 4, {.remainder = true});
  train(callbacks(set_scale(1), InferenceRunner(batches(), {ScalarStats("loss")}),
                  InferenceRunner(few, {ScalarStats("loss", "few")}, {.tower_name = "Few"})));
  EXPECT_DOUBLE_EQ(latest("validation_loss"), kMean);
  EXPECT_DOUBLE_EQ(latest("few_loss"), 2.5);
}

TEST_F(InferenceRunnerTest, RunsAgainInEveryEpochWithNewData) {
  train(callbacks(InferenceRunner(batches(), inferencers)), 3);
  EXPECT_EQ(trainer.monitors().get_history("batches").size(), 3u);
  EXPECT_EQ(latest("batches"), 16);
}

/// Asks the trainer to stop with its third batch.
struct StopsAtThird : Batches {
  void on_fetches(const std::vector<at::Tensor>& values, int64_t size) override {
    Batches::on_fetches(values, size);
    if (sizes.size() == 3) trainer().request_stop();
  }
};

TEST_F(InferenceRunnerTest, ARequestToStopEndsTheEvaluationWithoutAResult) {
  auto stops = std::make_shared<StopsAtThird>();
  train(callbacks(InferenceRunner(batches(), {stops})), 5);
  EXPECT_EQ(stops->sizes.size(), 3u);
  EXPECT_FALSE(trainer.monitors().get_latest("batches"));
}

TEST_F(InferenceRunnerTest, ARequestToStopEndsParallelEvaluationToo) {
  const std::vector<c10::Device> devices(2, c10::kCPU);
  auto stops = std::make_shared<StopsAtThird>();
  train(callbacks(DataParallelInferenceRunner(QueueInput(RepeatedData(batches(), 1000)), {stops}, devices)),
        5);
  EXPECT_LT(stops->sizes.size(), 3u + 4 * devices.size() + devices.size());
  EXPECT_FALSE(trainer.monitors().get_latest("batches"));
}

TEST_F(InferenceRunnerTest, NoDataIsAnError) {
  EXPECT_THROW(train(callbacks(InferenceRunner(DataFromList({}), inferencers))), DataError);
}

TEST_F(InferenceRunnerTest, NoDataIsAnErrorInParallelToo) {
  EXPECT_THROW(train(callbacks(DataParallelInferenceRunner(DataFromList({}), inferencers, {c10::kCPU}))),
               DataError);
}

/// A dataflow whose 500th sample throws.
AnyDataFlow failing() {
  auto fail = [](Datapoint dp) -> std::optional<Datapoint> {
    if (dp[0].item<double>() == 500) throw DataError("sample 500 is damaged");
    return dp;
  };
  return BatchData(MapData(DataFromTensors({at::arange(kSamples, at::kFloat)}), fail), kBatch,
                   {.remainder = true});
}

void expect_damage(const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "expected a DataError";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("sample 500 is damaged"));
  }
}

TEST_F(InferenceRunnerTest, WhatTheDataThrowsEndsTraining) {
  expect_damage([&] { train(callbacks(InferenceRunner(failing(), inferencers))); });
}

TEST_F(InferenceRunnerTest, WhatTheDataThrowsEndsParallelEvaluation) {
  const std::vector<c10::Device> devices(3, c10::kCPU);
  expect_damage([&] { train(callbacks(DataParallelInferenceRunner(failing(), inferencers, devices))); });
}

TEST_F(InferenceRunnerTest, ABatchThatCannotBeRunEndsParallelEvaluation) {
  auto break_fifth = [i = 0](Datapoint dp) mutable -> std::optional<Datapoint> {
    if (++i == 5) dp[0] = at::arange(6, at::kFloat).reshape({2, 3});
    return dp;
  };
  const std::vector<c10::Device> devices(3, c10::kCPU);
  EXPECT_THROW(
      train(callbacks(DataParallelInferenceRunner(MapData(batches(), break_fifth), {seen}, devices))),
      UsageError);
  EXPECT_EQ(seen->sizes.size(), 4u);
}

TEST_F(InferenceRunnerTest, AnInferencerThatThrowsEndsParallelEvaluation) {
  struct Throws : Batches {
    void on_fetches(const std::vector<at::Tensor>&, int64_t) override { throw UsageError("no such class"); }
  };
  const std::vector<c10::Device> devices(3, c10::kCPU);
  EXPECT_THROW(train(callbacks(DataParallelInferenceRunner(batches(), {Throws()}, devices))), UsageError);
}

TEST_F(InferenceRunnerTest, MisuseIsExplained) {
  EXPECT_THROW(train(callbacks(InferenceRunner(batches(), {ScalarStats("lost")}))), UsageError);
  EXPECT_THROW(DataParallelInferenceRunner(batches(), inferencers, {}), UsageError);
  TinyTrainer without_towers;
  EXPECT_THROW(without_towers.train({.callbacks = callbacks(InferenceRunner(batches(), inferencers))}),
               UsageError);
}

/// As `model`, with other inputs than "x" that it does not need.
struct SamplesTest : testing::Test {
  /// The mean loss over `batches`, of which the component "x" is number `x`, evaluated by both runners.
  void evaluate(const std::vector<TensorSpec>& signature, const std::vector<Datapoint>& batches,
                const std::string& batch_input = "") {
    for (const bool parallel : {false, true}) {
      TinyTrainer trainer;
      trainer.set_tower_func(model, signature);
      const Inferencers inferencers = {ScalarStats("loss")};
      Callbacks list = callbacks(AtEpochEnd([](Trainer& t) {
        t.session().set_value(Variable(t.graph().find_variable("scale")), at::scalar_tensor(1, at::kLong));
      }));
      if (parallel) {
        list.push_back(std::make_shared<DataParallelInferenceRunner>(
            DataFromList(batches), inferencers, std::vector<c10::Device>(2, c10::kCPU),
            DataParallelInferenceRunnerOptions{.batch_input = batch_input}));
      } else {
        list.push_back(std::make_shared<InferenceRunner>(DataFromList(batches), inferencers,
                                                         InferenceRunnerOptions{.batch_input = batch_input}));
      }
      trainer.train({.callbacks = list, .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
      losses.push_back(trainer.monitors().get_latest("validation_loss").value().value);
    }
  }

  static at::Tensor batch(int64_t size, double value) { return at::full({size}, value); }
  static at::Tensor scalar(double value) { return at::scalar_tensor(value); }

  test::LogLines log;
  std::vector<double> losses;
};

TEST_F(SamplesTest, AScalarBeforeTheBatchDoesNotCountThem) {
  evaluate({{"rate", {}, kFloat32}, {"x", {kDynamic}, kFloat32}},
           {{scalar(9), batch(32, 1)}, {scalar(9), batch(32, 2)}, {scalar(9), batch(1, 99)}});
  const double expected = (32 * 1 + 32 * 2 + 99) / 65.;
  EXPECT_THAT(losses, testing::Each(testing::DoubleEq(expected)));
  EXPECT_THAT(log.text(), HasSubstr("counted by the first dimension of: x"));
}

TEST_F(SamplesTest, AnInputOfFixedShapeDoesNotCountThem) {
  evaluate({{"anchors", {7}, kFloat32}, {"x", {kDynamic}, kFloat32}},
           {{batch(7, 0), batch(3, 1)}, {batch(7, 0), batch(1, 9)}});
  EXPECT_THAT(losses, testing::Each(testing::DoubleEq((3 * 1 + 9) / 4.)));
}

TEST_F(SamplesTest, WhereTheyDisagreeEachBatchCountsOnceAndTheLogSaysSo) {
  evaluate({{"image", {kDynamic}, kFloat32}, {"x", {kDynamic}, kFloat32}},
           {{batch(800, 0), batch(3, 1)}, {batch(600, 0), batch(1, 9)}});
  EXPECT_THAT(losses, testing::Each(testing::DoubleEq((1 + 9) / 2.)));
  EXPECT_THAT(log.text(),
              HasSubstr("image, x have first dimensions of 800, 3: each batch counts as one sample"));
}

TEST_F(SamplesTest, WhereTheyDisagreeOneMayBeNamed) {
  evaluate({{"image", {kDynamic}, kFloat32}, {"x", {kDynamic}, kFloat32}},
           {{batch(800, 0), batch(3, 1)}, {batch(600, 0), batch(1, 9)}}, "x");
  EXPECT_THAT(losses, testing::Each(testing::DoubleEq((3 * 1 + 9) / 4.)));
}

TEST_F(SamplesTest, WhereTheyDisagreeOnlyLaterIsAnError) {
  const std::vector<TensorSpec> signature = {{"image", {kDynamic}, kFloat32}, {"x", {kDynamic}, kFloat32}};
  const std::vector<Datapoint> data = {{batch(3, 0), batch(3, 1)}, {batch(6, 0), batch(1, 9)}};
  try {
    evaluate(signature, data);
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("(image, x), as in the batches before, got 6, 1 in batch 1"));
  }
}

TEST_F(SamplesTest, WithoutAnyEachBatchCountsOnceAndTheLogSaysSo) {
  evaluate({{"x", {}, kFloat32}}, {{scalar(1)}, {scalar(4)}});
  EXPECT_THAT(losses, testing::Each(testing::DoubleEq(2.5)));
  EXPECT_THAT(log.text(), HasSubstr("No input has a first dimension: each batch counts as one sample"));
}

TEST_F(SamplesTest, ABatchInputThatIsNoneIsAnError) {
  for (const char* name : {"rate", "typo"}) {
    try {
      evaluate({{"rate", {}, kFloat32}, {"x", {kDynamic}, kFloat32}}, {{scalar(9), batch(2, 1)}}, name);
      ADD_FAILURE() << "expected a UsageError";
    } catch (const UsageError& e) {
      EXPECT_THAT(e.what(),
                  HasSubstr("an input with a first dimension (x), got '" + std::string(name) + "'"));
    }
  }
}

}  // namespace
}  // namespace belfry
