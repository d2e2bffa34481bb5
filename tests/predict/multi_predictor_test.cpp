#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/dataflow/raw.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/input/queue_input.h"
#include "belfry/input/tensor_input.h"
#include "belfry/predict/async_predictor.h"
#include "belfry/predict/dataset_predictor.h"
#include "belfry/predict/feedfree_predictor.h"
#include "belfry/predict/multi_tower_predictor.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Result = std::vector<at::Tensor>;

const at::Tensor kWeights = at::arange(6).reshape({3, 2}).to(at::kFloat);

/// score = x W, and a second input that only `shifted` needs.
struct Linear : ModelDescBase {
  std::vector<TensorSpec> inputs() const override {
    return {{"x", {kDynamic, 3}, kFloat32}, {"shift", {kDynamic, 2}, kFloat32}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    ++towers;
    const Tensor score =
        default_graph().add("aten::matmul", {in["x"], get_variable("W", {3, 2})}, {}, "score").output();
    return default_graph().add("aten::add.Tensor", {score, in["shift"]}, {}, "shifted").output();
  }
  int towers = 0;
};

/// Says which of several it is; waits until `go`.
class Slow final : public Predictor {
 public:
  Slow(int index, std::shared_future<void> go) : index_(index), go_(std::move(go)) {}
  const std::vector<TensorSpec>& inputs() const override { return specs_; }
  const std::vector<TensorSpec>& outputs() const override { return specs_; }
  Result operator()(const Result& inputs) const override {
    begun = true;
    go_.wait();
    return {at::full_like(inputs[0], index_)};
  }
  void run_into(const Result&, const Result&) const override {}
  std::string describe() const override { return "slow"; }

  mutable std::atomic<bool> begun = false;

 private:
  int index_;
  std::shared_future<void> go_;
  std::vector<TensorSpec> specs_{{"x", {kDynamic}, kFloat32}};
};

class MultiPredictorTest : public testing::Test {
 protected:
  PredictConfig config(std::vector<std::string> inputs = {"x"},
                       std::vector<std::string> outputs = {"score"}) {
    return {.model = model,
            .session_init = DictRestore({{"W", kWeights}}),
            .inputs = std::move(inputs),
            .outputs = std::move(outputs)};
  }
  static at::Tensor batch(double value, int64_t rows = 13) { return at::full({rows, 3}, value, at::kFloat); }
  static at::Tensor expected(const at::Tensor& x) { return x.matmul(kWeights); }

  Linear model;
};

TEST_F(MultiPredictorTest, ReturnsTheInputBehindTheOutputs) {
  PredictConfig with_input = config({"x", "shift"}, {"shifted"});
  with_input.return_input = true;
  const OfflinePredictor predict(with_input);
  EXPECT_THAT(predict.output_names(), ElementsAre("shifted", "x", "shift"));
  const Result result = predict({batch(2), at::ones({13, 2})});
  EXPECT_TRUE(at::equal(result[0], expected(batch(2)).add(1)));
  EXPECT_TRUE(at::equal(result[1], batch(2)));
  EXPECT_TRUE(at::equal(result[2], at::ones({13, 2})));
}

TEST_F(MultiPredictorTest, TowersShareTheVariables) {
  const MultiTowerOfflinePredictor predict(config(), {c10::kCPU, c10::kCPU});
  EXPECT_EQ(model.towers, 2);
  ASSERT_EQ(predict.predictors().size(), 2u);
  EXPECT_THAT(predict.output_names(), ElementsAre("score"));
  for (const auto& one : predict.predictors())
    EXPECT_TRUE(at::equal((*one)(batch(3))[0], expected(batch(3))));
  EXPECT_TRUE(at::equal(predict(batch(1))[0], expected(batch(1))));
  const auto three = predict.get_predictor(3);
  EXPECT_EQ(three[0], three[2]);
  EXPECT_NE(three[0], three[1]);
  EXPECT_THROW(MultiTowerOfflinePredictor(config(), {}), UsageError);
  EXPECT_THAT(message_of<UsageError>([&] { MultiTowerOfflinePredictor(config({"x"}, {}), {c10::kCPU}); }),
              HasSubstr("[MultiTowerOfflinePredictor] expected names of outputs"));
}

TEST_F(MultiPredictorTest, APredictorOutlivesItsList) {
  std::shared_ptr<const Predictor> second =
      MultiTowerOfflinePredictor(config(), {c10::kCPU, c10::kCPU}).predictors()[1];
  EXPECT_TRUE(at::equal((*second)(batch(3))[0], expected(batch(3))));
}

TEST_F(MultiPredictorTest, DataParallelTakesTheInputsOfAllTowers) {
  const DataParallelOfflinePredictor predict(config({"x", "shift"}, {"score", "shifted"}),
                                             {c10::kCPU, c10::kCPU});
  EXPECT_THAT(predict.input_names(), ElementsAre("tower0_x", "tower0_shift", "tower1_x", "tower1_shift"));
  EXPECT_THAT(predict.output_names(),
              ElementsAre("tower0_score", "tower0_shifted", "tower1_score", "tower1_shifted"));
  const Result result = predict({batch(1), at::ones({13, 2}), batch(2, 5), at::ones({5, 2})});
  EXPECT_TRUE(at::equal(result[0], expected(batch(1))));
  EXPECT_TRUE(at::equal(result[3], expected(batch(2, 5)).add(1)));
  EXPECT_THROW(predict({batch(1), at::ones({13, 2})}), UsageError);
}

TEST_F(MultiPredictorTest, AListsPredictorsAreAlike) {
  std::promise<void> done;
  const std::shared_future<void> gate(done.get_future());
  EXPECT_THROW(PredictorList({}), UsageError);
  EXPECT_THROW(PredictorList({nullptr}), UsageError);
  const auto two_outputs = std::make_shared<OfflinePredictor>(config({"x", "shift"}, {"score", "shifted"}));
  EXPECT_THAT(message_of<UsageError>([&] {
                PredictorList({two_outputs, std::make_shared<Slow>(0, gate)});
              }),
              HasSubstr("expected 2 inputs and 2 outputs as of the first predictor, got 1 and 1"));
}

TEST_F(MultiPredictorTest, CallsGoWhereTheFewestRun) {
  std::promise<void> go, none;
  none.set_value();
  const auto first = std::make_shared<Slow>(0, std::shared_future<void>(go.get_future()));
  const PredictorList list({first, std::make_shared<Slow>(1, std::shared_future<void>(none.get_future()))});
  std::thread busy([&] { EXPECT_EQ(list(at::ones({1}))[0].item<float>(), 0); });
  while (!first->begun) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(list(at::ones({1}))[0].item<float>(), 1);
  go.set_value();
  busy.join();
}

TEST_F(MultiPredictorTest, CallbacksGetEachResultOnce) {
  for (int64_t batch_size : {0, 4}) {
    const auto towers = std::make_shared<MultiTowerOfflinePredictor>(
        config(), std::vector<c10::Device>{c10::kCPU, c10::kCPU});
    std::atomic<int> good = 0, bad = 0;
    {
      MultiThreadAsyncPredictor predict(towers->predictors(), {.batch_size = batch_size});
      for (int i = 0; i < 39; ++i) {
        const int64_t width = i == 17 ? 4 : 3;
        const at::Tensor x =
            batch_size ? at::full({width}, i, at::kFloat) : at::full({1, width}, i, at::kFloat);
        predict.put_task({x}, [&, x](std::future<Result> result) {
          try {
            const at::Tensor score = result.get()[0];
            if (at::equal(score, expected(x))) ++good;
          } catch (const UsageError&) {
            ++bad;
          }
        });
      }
      EXPECT_THROW(predict.put_task({batch(1)}, nullptr), UsageError);
    }
    EXPECT_EQ(good, 38) << batch_size;
    EXPECT_EQ(bad, 1) << batch_size;
  }
}

TEST_F(MultiPredictorTest, ACallbackThatThrowsIsLogged) {
  std::string logged;
  set_log_sink([&](LogLevel, std::string_view message) { logged += message; });
  {
    MultiThreadAsyncPredictor predict(std::make_shared<OfflinePredictor>(config()));
    predict.put_task({batch(1)}, [](auto) { throw std::runtime_error("no place left"); });
    EXPECT_TRUE(at::equal(predict.put({batch(1)}).get()[0], expected(batch(1))));
    predict.stop();
    EXPECT_THROW(predict.put_task({batch(1)}, [](auto) {}), UsageError);
  }
  set_log_sink({});
  EXPECT_THAT(logged, HasSubstr("a callback of a prediction has thrown: no place left"));
}

TEST_F(MultiPredictorTest, UnorderedResultsAreAllThere) {
  std::vector<Datapoint> list;
  for (int i = 0; i < 39; ++i) list.push_back({batch(i, 1)});
  for (int threads : {1, 3}) {
    DatasetPredictor predict(config(), DataFromList(list),
                             {.threads = threads, .progress_bar = false, .ordered = false});
    std::set<float> seen;
    for (const Result& result : predict.all_results()) seen.insert(result[0][0][1].item<float>());
    EXPECT_EQ(seen.size(), 39u);
    EXPECT_EQ(*seen.rbegin(), 38 * 9);
  }
  list[17] = {at::ones({1, 4})};
  DatasetPredictor predict(config(), DataFromList(list),
                           {.threads = 3, .progress_bar = false, .ordered = false});
  EXPECT_THROW(predict.all_results(), UsageError);
}

TEST_F(MultiPredictorTest, DatapointsWithNamesAreFoundByThem) {
  const Datapoint datapoint =
      Datapoint::named({{"file", make_text("a.jpg")}, {"shift", at::ones({13, 2})}, {"x", batch(2)}});
  DatasetPredictor predict(config({"x", "shift"}, {"shifted"}), DataFromList({datapoint}),
                           {.progress_bar = false});
  EXPECT_TRUE(at::equal(predict.all_results()[0][0], expected(batch(2)).add(1)));
  DatasetPredictor missing(config({"x", "shift"}, {"shifted"}),
                           DataFromList({Datapoint::named({{"x", batch(2)}})}), {.progress_bar = false});
  EXPECT_THAT(message_of<DataError>([&] { missing.all_results(); }),
              HasSubstr("expected a component 'shift', got x"));
}

TEST_F(MultiPredictorTest, FeedfreeTakesWhatTheSourceProvides) {
  const at::Tensor x = at::arange(39 * 3).reshape({39, 1, 3}).to(at::kFloat);
  FeedfreePredictor predict(config({}, {"shifted"}),
                            QueueInput(DataFromTensors({x, at::ones({39, 1, 2})}), {.infinite = false}));
  EXPECT_EQ(predict.size(), 39);
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < 39; ++i) EXPECT_TRUE(at::equal(predict()->at(0), expected(x[i]).add(1)));
    EXPECT_FALSE(predict());
    predict.reset_state();
  }
}

TEST_F(MultiPredictorTest, FeedfreeTakesTensorsOfTheGraph) {
  PredictConfig with_input = config({}, {"shifted"});
  with_input.return_input = true;
  FeedfreePredictor predict(with_input, DummyConstantInput({{4, 3}, {4, 2}}));
  const Result result = *predict();
  EXPECT_TRUE(at::equal(result[0], at::zeros({4, 2})));
  EXPECT_THAT(result[1].sizes(), ElementsAre(4, 3));
  EXPECT_THROW(FeedfreePredictor(with_input, nullptr), UsageError);
}

}  // namespace
}  // namespace belfry
