#include "belfry/predict/batching_predictor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/predict/async_predictor.h"
#include "belfry/predict/internal/batch_former.h"
#include "belfry/predict/offline_predictor.h"
#include "tests/support/message_of.h"
#include "tests/support/thread_limit.h"

namespace belfry {
namespace {

using test::message_of;
using namespace std::chrono_literals;
using internal::BatchFormer;
using internal::Clock;
using internal::Request;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TensorSpec> kSpecs = {{"x", {kDynamic, 3}, kFloat32}};

at::Tensor sample(double value) {
  return at::full({3}, value, at::kFloat);
}
at::Tensor rows(int64_t count, double value) {
  return at::full({count, 3}, value, at::kFloat);
}

/// Doubles its input, refuses negative numbers, and remembers the size of each batch. While it is held, calls
/// wait inside.
class Doubler : public Predictor {
 public:
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const override {
    std::unique_lock lock(mutex_);
    batches_.push_back(inputs[0].size(0));
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    if (inputs[0].min().item<float>() < 0) throw UsageError("[Doubler] expected no negative number");
    return {inputs[0] * 2};
  }
  void run_into(const std::vector<at::Tensor>&, const std::vector<at::Tensor>&) const override {}
  std::string describe() const override { return "doubles"; }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }

  void hold(bool held = true) {
    std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void wait_for_calls(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batches_.size() >= count; });
  }
  std::vector<int64_t> batches() const {
    std::lock_guard lock(mutex_);
    return batches_;
  }

 private:
  const std::vector<TensorSpec> inputs_ = {{"x", {kDynamic, 3}}}, outputs_ = {{"y", {kDynamic, 3}}};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable std::vector<int64_t> batches_;
  bool held_ = false;
};

class BatchingPredictorTest : public testing::Test {
 protected:
  using Future = std::future<BatchingPredictor::Result>;

  void TearDown() override { doubler->hold(false); }  // lets the predictor stop

  /// One worker that is inside the predictor with a first request, so that what follows has to wait.
  void start_busy(BatchingOptions options) {
    doubler->hold();
    predictor.emplace(doubler, options);
    first = predictor->submit({sample(0)});
    doubler->wait_for_calls(1);
  }
  static std::vector<double> values(std::vector<Future>& futures) {
    std::vector<double> values;
    for (Future& future : futures) values.push_back(future.get()[0].sum().item<double>());
    return values;
  }

  std::shared_ptr<Doubler> doubler = std::make_shared<Doubler>();
  std::optional<BatchingPredictor> predictor;
  Future first;
};

TEST_F(BatchingPredictorTest, EveryCallerOfManyGetsItsOwnResult) {
  predictor.emplace(doubler,
                    BatchingOptions{.max_batch = 5, .max_delay = 100us, .workers = 3, .max_queue = 13});
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> callers;
  for (int t = 0; t < 7; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 39; ++i) {
        const double value = 100 * t + i;
        wrong += !at::equal((*predictor)({sample(value)})[0], sample(2 * value));
        wrong += !at::equal(predictor->submit_rows({rows(2, value)}).get()[0], rows(2, 2 * value));
      }
    });
  }
  callers.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(predictor->stats().answered, 7 * 39 * 2u);
  EXPECT_EQ(predictor->stats().samples, 7 * 39 * 3u);
}

TEST_F(BatchingPredictorTest, AFullBatchStartsWithoutDelay) {
  predictor.emplace(doubler, BatchingOptions{.max_batch = 4, .max_delay = 1h});
  std::vector<Future> results;
  for (int i = 0; i < 8; ++i) results.push_back(predictor->submit({sample(i)}));
  EXPECT_THAT(values(results), ElementsAre(0, 6, 12, 18, 24, 30, 36, 42));
  EXPECT_THAT(doubler->batches(), ElementsAre(4, 4));
}

TEST_F(BatchingPredictorTest, ABatchThatDoesNotFillStartsWhenItsTimeIsUp) {
  predictor.emplace(doubler, BatchingOptions{.max_batch = 1000, .max_delay = 1ms});
  EXPECT_TRUE(at::equal((*predictor)({sample(3)})[0], sample(6)));
}

TEST_F(BatchingPredictorTest, WhatWaitsForAWorkerSharesACall) {
  start_busy({.max_batch = 3});
  std::vector<Future> results;
  for (int i = 0; i < 5; ++i) results.push_back(predictor->submit({sample(i)}));
  doubler->hold(false);
  EXPECT_THAT(values(results), ElementsAre(0, 6, 12, 18, 24));
  EXPECT_THAT(doubler->batches(), ElementsAre(1, 3, 2));
  EXPECT_DOUBLE_EQ(predictor->stats().mean_batch(), 2);
  EXPECT_EQ(predictor->stats().latency.count(), 6u);
}

TEST_F(BatchingPredictorTest, OnlyEqualShapesShareACall) {
  start_busy({});
  std::vector<Future> results;
  for (int64_t n : {2, 3, 2, 3}) results.push_back(predictor->submit({at::ones({n})}));
  results.push_back(predictor->submit({at::ones({2}, at::kDouble)}));
  doubler->hold(false);
  EXPECT_THAT(values(results), ElementsAre(4, 6, 4, 6, 4));
  EXPECT_EQ(predictor->stats().batches, 4u);
}

TEST_F(BatchingPredictorTest, ABadRequestHarmsNobodyElseInItsBatch) {
  start_busy({});
  Future good = predictor->submit({sample(1)}), bad = predictor->submit({sample(-1)}),
         other = predictor->submit_rows({rows(2, 2)});
  doubler->hold(false);
  EXPECT_TRUE(at::equal(good.get()[0], sample(2)));
  EXPECT_THAT(message_of<UsageError>([&] { bad.get(); }), HasSubstr("negative"));
  EXPECT_TRUE(at::equal(other.get()[0], rows(2, 4)));
  EXPECT_EQ(predictor->stats().failed, 1u);
}

TEST_F(BatchingPredictorTest, AWrongRequestIsRefusedWhenItIsSubmitted) {
  BatchingPredictor predict(doubler, {.max_batch = 4, .inputs = kSpecs});
  const std::vector<std::pair<std::function<void()>, std::string>> cases = {
      {[&] { predict.submit({}); }, "expected 1 inputs, got 0"},
      {[&] { predict.submit({at::Tensor()}); }, "[BatchingPredictor x] expected an array"},
      {[&] { predict.submit({at::ones({4})}); }, "expected float32 [?, 3], got float32 [1, 4]"},
      {[&] { predict.submit({at::ones({3}, at::kDouble)}); }, "got float64 [1, 3]"},
      {[&] { predict.submit_rows({at::ones({})}); }, "expected 1 to 4 rows, got []"},
      {[&] { predict.submit_rows({rows(0, 1)}); }, "expected 1 to 4 rows, got [0, 3]"},
      {[&] { predict.submit_rows({rows(5, 1)}); }, "expected 1 to 4 rows, got [5, 3]"},
  };
  for (const auto& [act, message] : cases) EXPECT_THAT(message_of<UsageError>(act), HasSubstr(message));
  EXPECT_EQ(predict.stats().accepted, 0u);
}

TEST_F(BatchingPredictorTest, WrongOptionsAreRefused) {
  const std::vector<BatchingOptions> cases = {{.max_batch = 0},
                                              {.workers = 0},
                                              {.max_batch = 8, .max_queue = 7},
                                              {.max_delay = -1us},
                                              {.max_delay = 2h},
                                              {.inputs = {kSpecs[0], kSpecs[0]}},
                                              {.inputs = {{"x", {}, kFloat32}}}};
  for (const BatchingOptions& options : cases) EXPECT_THROW(BatchingPredictor(doubler, options), UsageError);
  EXPECT_THROW(BatchingPredictor(nullptr), UsageError);
}

TEST_F(BatchingPredictorTest, ACancelledRequestIsNotRun) {
  start_busy({});
  std::stop_source source;
  Future cancelled = predictor->submit({sample(1)}, source.get_token()),
         kept = predictor->submit({sample(2)});
  source.request_stop();
  doubler->hold(false);
  EXPECT_THROW(cancelled.get(), CancelledError);
  EXPECT_TRUE(at::equal(kept.get()[0], sample(4)));
  EXPECT_THAT(doubler->batches(), ElementsAre(1, 1));
  EXPECT_EQ(predictor->stats().cancelled, 1u);
}

TEST_F(BatchingPredictorTest, AFullQueueTurnsTrySubmitAway) {
  start_busy({.max_batch = 2, .max_queue = 3});
  auto two = predictor->try_submit_rows({rows(2, 1)});
  EXPECT_FALSE(predictor->try_submit_rows({rows(2, 2)}));
  auto one = predictor->try_submit({sample(3)});
  EXPECT_FALSE(predictor->try_submit({sample(4)}));
  EXPECT_EQ(predictor->stats().queued, 3);
  EXPECT_EQ(predictor->stats().rejected, 2u);
  doubler->hold(false);
  EXPECT_TRUE(at::equal(two->get()[0], rows(2, 2)));
  EXPECT_TRUE(at::equal(one->get()[0], sample(6)));
}

TEST_F(BatchingPredictorTest, AFullQueueMakesSubmitWait) {
  start_busy({.max_batch = 1, .max_queue = 1});
  Future queued = predictor->submit({sample(1)});
  std::promise<void> submitted;
  std::jthread caller([&] {
    EXPECT_TRUE(at::equal((*predictor)({sample(2)})[0], sample(4)));
    submitted.set_value();
  });
  EXPECT_EQ(submitted.get_future().wait_for(1ms), std::future_status::timeout);
  doubler->hold(false);
}

TEST_F(BatchingPredictorTest, ACallerThatWaitsForRoomCanBeCancelledOrStopped) {
  start_busy({.max_batch = 1, .max_queue = 1});
  Future queued = predictor->submit({sample(1)});
  std::stop_source source;
  std::jthread cancels([&] { source.request_stop(); });
  EXPECT_THROW(predictor->submit({sample(2)}, source.get_token()), CancelledError);
  std::jthread stops([&] { predictor->stop(); });
  EXPECT_THROW(predictor->submit({sample(3)}), CancelledError);
  doubler->hold(false);
  EXPECT_TRUE(at::equal(queued.get()[0], sample(2)));
}

TEST_F(BatchingPredictorTest, StoppingAnswersWhatWaits) {
  predictor.emplace(doubler, BatchingOptions{.max_delay = 1h});
  Future waiting = predictor->submit({sample(1)});
  std::jthread also_stops([&] { predictor->stop(); });
  predictor->stop();
  EXPECT_TRUE(at::equal(waiting.get()[0], sample(2)));
  EXPECT_THROW(predictor->submit({sample(1)}), CancelledError);
  EXPECT_THROW(predictor->try_submit({sample(1)}), CancelledError);
}

TEST_F(BatchingPredictorTest, CancellingDropsWhatWaitsButFinishesWhatRuns) {
  start_busy({});
  Future waiting = predictor->submit({sample(1)});
  std::jthread cancels([&] { predictor->cancel(); });
  EXPECT_THROW(waiting.get(), CancelledError);
  doubler->hold(false);
  EXPECT_TRUE(at::equal(first.get()[0], sample(0)));
}

TEST_F(BatchingPredictorTest, AnIdleOneStops) {
  BatchingPredictor(doubler, {.workers = 4}).stop();
}

TEST_F(BatchingPredictorTest, EveryOutputNeedsARowForEachSample) {
  struct Total : Doubler {
    std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const override {
      return {inputs[0].sum()};
    }
  };
  BatchingPredictor predict(std::make_shared<Total>());
  EXPECT_THAT(message_of<UsageError>([&] { predict({sample(1)}); }),
              AllOf(HasSubstr("[BatchingPredictor y]"), HasSubstr("a row for each of 1 samples, got []")));
}

TEST(SpecsTest, TellWhatAModelTakesAndGives) {
  TowerFunc twice(
      [](const TowerInputs& in) {
        return default_graph().add("aten::add.Tensor", {in["x"], in["x"]}, {}, "twice").output();
      },
      kSpecs);
  const OfflinePredictor predictor({.model = twice, .outputs = {"twice"}});
  EXPECT_EQ(predictor.inputs()[0].name, "x");
  EXPECT_EQ(predictor.outputs()[0].shape, kSpecs[0].shape);
  EXPECT_EQ(predictor.outputs()[0].dtype, kFloat32);
}

TEST(LatencyHistogramTest, CountsUpToAndIncludingEachBound) {
  LatencyHistogram histogram;
  for (double seconds : {0.0, 0.0005, 0.0006, 11.0}) histogram.add(seconds);
  EXPECT_EQ(histogram.counts.front(), 2u);
  EXPECT_EQ(histogram.counts[1], 1u);
  EXPECT_EQ(histogram.counts.back(), 1u);
  EXPECT_DOUBLE_EQ(histogram.sum, 11.0011);
}

/// Batches at times of the test's choice.
class BatchFormerTest : public testing::Test {
 protected:
  static Clock::time_point at_ms(int ms) { return Clock::time_point(std::chrono::milliseconds(ms)); }
  void add(at::Tensor input, int ms, std::stop_token cancel = {}) {
    Request request;
    request.rows = input.size(0);
    request.inputs = {std::move(input)};
    request.cancel = std::move(cancel);
    request.arrived = at_ms(ms);
    former.add(std::move(request));
  }
  /// The rows of each request of the next batch.
  std::vector<int64_t> take(int ms, bool hurry = false) {
    std::vector<int64_t> rows;
    if (auto batch = former.take(at_ms(ms), hurry))
      for (const Request& request : batch->run) rows.push_back(request.rows);
    return rows;
  }

  BatchFormer former{4, 10ms, /*few_sizes=*/true};
};

TEST_F(BatchFormerTest, BatchesHaveFewSizesWhereTheRequestsAllowIt) {
  for (int i = 0; i < 11; ++i) add(rows(1, 0), 0);
  for (size_t expected : {4, 4, 2, 1}) EXPECT_EQ(take(10).size(), expected);
  add(rows(1, 0), 0);
  add(rows(2, 0), 0);
  EXPECT_THAT(take(10), ElementsAre(1));
  EXPECT_THAT(take(10), ElementsAre(2));
  add(rows(3, 0), 0);
  EXPECT_THAT(take(10), ElementsAre(3));
}

TEST_F(BatchFormerTest, BatchesHaveAnySizeWhenThatIsWanted) {
  BatchFormer any(6, 10ms, /*few_sizes=*/false);
  for (int i = 0; i < 5; ++i) {
    Request request;
    request.inputs = {rows(1, 0)};
    any.add(std::move(request));
  }
  EXPECT_EQ(any.take(at_ms(0), /*hurry=*/true)->run.size(), 5u);
}

TEST_F(BatchFormerTest, ABatchIsReadyWhenItIsFullOrItsOldestRequestIsOld) {
  EXPECT_FALSE(former.next_deadline());
  add(rows(1, 0), 0);
  add(rows(1, 0), 5);
  EXPECT_EQ(former.next_deadline(), at_ms(10));
  EXPECT_THAT(take(9), ElementsAre());
  EXPECT_THAT(take(10), ElementsAre(1, 1));
  add(rows(2, 0), 20);
  add(rows(2, 0), 20);
  EXPECT_THAT(take(20), ElementsAre(2, 2));
  EXPECT_EQ(former.rows(), 0);
}

TEST_F(BatchFormerTest, ARequestIsNeverSplit) {
  add(rows(3, 0), 0);
  add(rows(3, 0), 0);
  EXPECT_THAT(take(0), ElementsAre(3));
  EXPECT_THAT(take(0), ElementsAre());
  EXPECT_THAT(take(0, /*hurry=*/true), ElementsAre(3));
}

TEST_F(BatchFormerTest, AFullGroupDoesNotWaitForAnOlderOneThatIsNot) {
  add(at::ones({1, 7}), 0);
  for (int i = 0; i < 4; ++i) add(rows(1, 0), 1);
  EXPECT_THAT(take(1), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(take(1), ElementsAre());
  EXPECT_THAT(take(10), ElementsAre(1));
}

TEST_F(BatchFormerTest, OfTwoReadyGroupsTheOlderGoesFirst) {
  add(at::ones({2, 7}), 1);
  add(rows(3, 0), 0);
  EXPECT_THAT(take(20), ElementsAre(3));
  EXPECT_THAT(take(20), ElementsAre(2));
}

TEST_F(BatchFormerTest, CancelledRequestsTakeNoPlaceInABatch) {
  std::stop_source source;
  add(rows(3, 0), 0, source.get_token());
  add(rows(4, 0), 0);
  source.request_stop();
  const auto batch = former.take(at_ms(0));
  EXPECT_EQ(batch->run.size(), 1u);
  EXPECT_EQ(batch->cancelled.size(), 1u);
}

TEST_F(BatchingPredictorTest, ASystemWithoutThreadsIsAnError) {
  const auto doubler = std::make_shared<Doubler>();
  test::expect_throws_without_threads(3, [&] { BatchingPredictor(doubler, {.workers = 3}); });
  test::expect_throws_without_threads(3, [&] { MultiThreadAsyncPredictor(doubler, {.threads = 3}); });
}

}  // namespace
}  // namespace belfry
