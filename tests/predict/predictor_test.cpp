#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/raw.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/predict/async_predictor.h"
#include "belfry/predict/dataset_predictor.h"
#include "belfry/predict/offline_predictor.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

Tensor call(const std::string& op, const std::vector<Tensor>& inputs, const Attributes& attributes = {},
            const std::string& name = "") {
  return default_graph().add(op, inputs, attributes, name).output();
}

/// score = x W, and a loss that needs the label.
struct Linear : ModelDescBase {
  std::vector<TensorSpec> inputs() const override {
    return {{"x", {kDynamic, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    was_training = current_tower_context().is_training();
    const Tensor score = call("aten::matmul", {in["x"], get_variable("W", {3, 2})}, {}, "score");
    const Tensor log_prob = call("aten::log_softmax.int", {score}, {{"dim", -1}});
    return call("aten::nll_loss", {log_prob, in["label"]}, {}, "cost");
  }
  bool was_training = true;
};

const at::Tensor kWeights = at::arange(6).reshape({3, 2}).to(at::kFloat);

class PredictorTest : public testing::Test {
 protected:
  PredictConfig config(std::vector<std::string> inputs = {"x"},
                       std::vector<std::string> outputs = {"score"}) {
    return {.model = model,
            .session_init = DictRestore({{"W", kWeights}}),
            .inputs = std::move(inputs),
            .outputs = std::move(outputs)};
  }
  std::shared_ptr<const Predictor> predictor() { return std::make_shared<OfflinePredictor>(config()); }
  static at::Tensor batch(double value, int64_t rows = 13) { return at::full({rows, 3}, value, at::kFloat); }

  Linear model;
};

TEST_F(PredictorTest, WritesIntoTheCallersTensors) {
  const OfflinePredictor predict(config());
  const at::Tensor score = at::zeros({13, 2});
  predict.run_into({batch(1)}, {score});
  EXPECT_TRUE(at::equal(score, predict(batch(1))[0]));
  EXPECT_THROW(predict.run_into({batch(1)}, {at::zeros({12, 2})}), UsageError);
}

TEST_F(PredictorTest, PassesOfTheCompilerCanBeTurnedOff) {
  PredictConfig plain = config();
  plain.compile.canonicalize = false;
  const OfflinePredictor predict(plain);
  EXPECT_TRUE(at::equal(predict(batch(1))[0], OfflinePredictor(config())(batch(1))[0]));
  EXPECT_THAT(predict.describe(), HasSubstr("canonicalize: off"));
}

TEST_F(PredictorTest, BuildsACleanGraphInInferenceModeAndComputesTheOutputs) {
  OfflinePredictor predict(config());
  EXPECT_FALSE(model.was_training);
  EXPECT_TRUE(at::equal(predict(batch(2))[0], batch(2).matmul(kWeights)));
  EXPECT_THAT(predict.input_names(), ElementsAre("x"));
  EXPECT_THAT(predict.output_names(), ElementsAre("score"));
}

TEST_F(PredictorTest, NeedsOnlyTheInputsThatTheOutputsNeed) {
  OfflinePredictor both(config({}, {"score", "cost"}));
  EXPECT_EQ(both({batch(1, 2), at::zeros({2}, at::kLong)}).size(), 2u);
  const std::string message =
      message_of<UsageError>([&] { OfflinePredictor(config({"x"}, {"cost"}))(batch(1)); });
  EXPECT_THAT(message, HasSubstr("label"));
}

TEST_F(PredictorTest, MayFeedATensorInTheMiddle) {
  OfflinePredictor predict(config({"score", "label"}, {"cost"}));
  EXPECT_EQ(predict({at::zeros({2, 2}), at::zeros({2}, at::kLong)})[0].dim(), 0);
}

TEST_F(PredictorTest, TellsWhatIsWrongWithTheConfig) {
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor(config({"x"}, {"scor"})); }), HasSubstr("scor"));
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor(config({"y"})); }), HasSubstr("y"));
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor(config({"x"}, {})); }), HasSubstr("outputs"));
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor({.outputs = {"score"}}); }), HasSubstr("model"));
}

/// A graph in which "W" is there already, and "score" is something else.
struct JoinedGraph : PredictorTest {
  JoinedGraph() {
    call("aten::neg", {get_variable("W", {3, 2})}, {}, "score");
    joined = config();
    joined.create_graph = false;
  }
  Graph graph;
  GraphScope as_default{graph};
  PredictConfig joined;
};

TEST_F(JoinedGraph, HasASessionOfItsOwnUnlessOneIsGiven) {
  Session session(graph);
  session.initialize_variables();
  session.set_value(Variable(graph.find_variable("W")), at::ones({3, 2}));
  OfflinePredictor predict(joined);
  EXPECT_EQ(&predict.graph(), &graph);
  EXPECT_FALSE(model.was_training);
  EXPECT_TRUE(at::equal(predict(batch(2))[0], batch(2).matmul(kWeights)));
  EXPECT_TRUE(at::equal(session.run("W"), at::ones({3, 2})));
  EXPECT_FALSE(graph.finalized());
  EXPECT_EQ(graph.variables().size(), 1u);
}

TEST_F(JoinedGraph, PredictsWithTheValuesOfASessionThatGoesOn) {
  Session session(graph);
  session.initialize_variables();
  graph.finalize();
  joined.session = &session;
  joined.session_init = {};
  OfflinePredictor predict(joined), second(joined);
  EXPECT_TRUE(graph.finalized());
  for (double value : {1.0, 2.0}) {
    session.set_value(Variable(graph.find_variable("W")), at::full({3, 2}, value));
    EXPECT_TRUE(at::equal(predict(batch(2))[0], at::full({13, 2}, 6 * value)));
    EXPECT_TRUE(at::equal(second(batch(2))[0], at::full({13, 2}, 6 * value)));
  }
}

TEST_F(JoinedGraph, MakesTheVariablesThatAreMissing) {
  Graph empty;
  GraphScope as_default_too(empty);
  EXPECT_TRUE(at::equal(OfflinePredictor(joined)(batch(2))[0], batch(2).matmul(kWeights)));
  EXPECT_NE(empty.find_variable("W"), nullptr);
}

TEST_F(JoinedGraph, AGraphThatCannotBeJoinedIsAnError) {
  Graph other;
  Session session(other);
  joined.session = &session;
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor{joined}; }), HasSubstr("of another"));
  joined.create_graph = true;
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor{joined}; }), HasSubstr("create_graph = false"));
  joined.create_graph = false;
  joined.session = nullptr;
  joined.outputs = {"missing"};
  graph.finalize();
  EXPECT_THROW(OfflinePredictor{joined}, UsageError);
  EXPECT_TRUE(graph.finalized());
}

TEST_F(PredictorTest, WithoutADefaultGraphThereIsNoneToJoin) {
  PredictConfig joined = config();
  joined.create_graph = false;
  EXPECT_THAT(message_of<UsageError>([&] { OfflinePredictor{joined}; }), HasSubstr("enter a GraphScope"));
}

TEST_F(PredictorTest, TellsWhatIsWrongWithTheInputs) {
  OfflinePredictor predict(config());
  EXPECT_THAT(message_of<UsageError>([&] { predict({batch(1), batch(1)}); }), HasSubstr("expected 1 inputs"));
  EXPECT_THAT(message_of<UsageError>([&] { predict(at::ones({2, 4})); }), HasSubstr("[2, 4]"));
  EXPECT_THAT(message_of<UsageError>([&] { predict(at::ones({2, 3}, at::kDouble)); }), HasSubstr("float64"));
}

TEST_F(PredictorTest, TakesATowerFunctionOrATemporaryModel) {
  TowerFunc twice(
      [](const TowerInputs& in) {
        return call("aten::add.Tensor", {in["x"], in["x"]}, {}, "twice");
      },
      {{"x", {kDynamic}, kFloat32}});
  OfflinePredictor predict({.model = twice, .outputs = {"twice"}});
  EXPECT_TRUE(at::equal(predict(at::ones({3}))[0], at::full({3}, 2.0)));
  PredictConfig temporary{.model = Linear(), .inputs = {"x"}, .outputs = {"score"}};
  EXPECT_EQ(OfflinePredictor(temporary)(batch(1))[0].size(1), 2);
}

TEST_F(PredictorTest, AnswersManyThreadsAtTheSameTime) {
  const OfflinePredictor predict(config());
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) wrong += !at::equal(predict(batch(t))[0], batch(t).matmul(kWeights));
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST_F(PredictorTest, TasksGiveTheirOwnResults) {
  MultiThreadAsyncPredictor async(predictor(), {.threads = 3});
  std::vector<std::future<std::vector<at::Tensor>>> results;
  for (int i = 0; i < 39; ++i) results.push_back(async.put({batch(i)}));
  for (int i = 0; i < 39; ++i) EXPECT_TRUE(at::equal(results[i].get()[0], batch(i).matmul(kWeights)));
}

TEST_F(PredictorTest, SamplesThatWaitShareACall) {
  MultiThreadAsyncPredictor async(predictor(), {.threads = 2, .batch_size = 5});
  std::vector<std::future<std::vector<at::Tensor>>> results;
  for (int i = 0; i < 39; ++i) results.push_back(async.put({batch(i, 1)[0]}));
  for (int i = 0; i < 39; ++i) EXPECT_TRUE(at::equal(results[i].get()[0], batch(i, 1).matmul(kWeights)[0]));
}

TEST_F(PredictorTest, ABadTaskHarmsNobodyElse) {
  for (int64_t batch_size : {0, 5}) {
    MultiThreadAsyncPredictor async(predictor(), {.threads = 2, .batch_size = batch_size});
    const at::Tensor good = batch_size ? batch(1, 1)[0] : batch(1);
    std::vector<std::future<std::vector<at::Tensor>>> results;
    for (int i = 0; i < 13; ++i) results.push_back(async.put({i == 7 ? at::ones({7}) : good}));
    results.push_back(async.put({}));
    for (int i = 0; i < 13; ++i) results.push_back(async.put({good, good}));
    for (int i = 0; i < 27; ++i) {
      const std::string message = message_of<std::exception>([&] { results[i].get(); });
      EXPECT_EQ(message == "nothing was thrown", i < 13 && i != 7) << i << message;
    }
  }
}

TEST_F(PredictorTest, StoppingFinishesWhatWasPut) {
  MultiThreadAsyncPredictor async(predictor());
  auto result = async.put({batch(1)});
  async.stop();
  async.stop();
  EXPECT_TRUE(result.get()[0].defined());
  EXPECT_THAT(message_of<UsageError>([&] { async.put({batch(1)}); }), HasSubstr("stop"));
}

TEST_F(PredictorTest, ManyMayStopAtTheSameTime) {
  const auto shared = predictor();
  for (int i = 0; i < 50; ++i) {
    MultiThreadAsyncPredictor async(shared, {.threads = 2});
    auto result = async.put({batch(1)});
    std::vector<std::jthread> stoppers;
    for (int t = 0; t < 3; ++t) {
      stoppers.emplace_back([&] {
        async.stop();
        EXPECT_EQ(result.wait_for(std::chrono::seconds(0)), std::future_status::ready);
      });
    }
  }
}

TEST_F(PredictorTest, ADatasetsResultsComeInItsOrder) {
  const at::Tensor rows = at::arange(39 * 2 * 3).reshape({39, 2, 3}).to(at::kFloat);
  for (int threads : {1, 3}) {
    DatasetPredictor predict(config(), DataFromTensors({rows}), {.threads = threads, .progress_bar = false});
    const auto results = predict.all_results();
    ASSERT_EQ(results.size(), 39u);
    for (int i = 0; i < 39; ++i) EXPECT_TRUE(at::equal(results[i][0], rows[i].matmul(kWeights))) << i;
  }
}

TEST_F(PredictorTest, ADatasetsErrorsEndThePass) {
  DatasetPredictor wrong_shape(predictor(), DataFromTensors({at::ones({5, 2, 4})}), {.progress_bar = false});
  EXPECT_THAT(message_of<UsageError>([&] { wrong_shape.all_results(); }), HasSubstr("[2, 4]"));
  DatasetPredictor stopped(predictor(), DataFromTensors({at::ones({5, 2, 3})}),
                           {.threads = 2, .progress_bar = false});
  EXPECT_THROW(stopped.for_each([](auto) { throw std::runtime_error("enough"); }), std::runtime_error);
}

TEST_F(PredictorTest, ADatasetsResultsComeUpToTheFirstBadDatapoint) {
  std::vector<Datapoint> list(39, {at::ones({2, 3})});
  list[17] = {at::ones({2, 4})};
  for (int threads : {1, 3}) {
    DatasetPredictor predict(predictor(), DataFromList(list), {.threads = threads, .progress_bar = false});
    int results = 0;
    EXPECT_THROW(predict.for_each([&](auto) { ++results; }), UsageError);
    EXPECT_EQ(results, 17);
  }
  EXPECT_THAT(
      message_of<UsageError>([&] { DatasetPredictor(predictor(), DataFromList(list), {.threads = 0}); }),
      HasSubstr("[DatasetPredictor] expected threads >= 1, got 0"));
}

TEST_F(PredictorTest, ASessionInitThatSetsNothingIsAnErrorUnlessAsked) {
  PredictConfig wanted = config();
  const auto expect_error = [&] {
    EXPECT_THAT(
        [&] { OfflinePredictor any(wanted); },
        testing::ThrowsMessage<UsageError>(HasSubstr(
            "[OfflinePredictor] expected session_init to set variables, got none of 1 set ('W', ...)")));
  };
  wanted.session_init = DictRestore({{"of/another/model", kWeights}});
  expect_error();
  wanted.session_init = SmartInit("");
  expect_error();
  wanted.allow_initial_values = true;
  EXPECT_NO_THROW(OfflinePredictor any(wanted));
}

}  // namespace
}  // namespace belfry
