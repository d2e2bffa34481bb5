#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_queue.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/dataflow/raw.h"
#include "belfry/dataflow/shuffle_data.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/proxy_input.h"
#include "belfry/input/queue_input.h"
#include "belfry/input/tensor_input.h"
#include "belfry/runtime/session.h"
#include "tests/support/stalled_flow.h"
#include "tests/support/thread_limit.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TensorSpec> kNumber = {{"x", {}, kInt64}};

/// Produces 0, 1, ... `size` - 1, or throws at number `throw_at`.
class Numbers : public DataFlow {
 public:
  explicit Numbers(int64_t size, int64_t throw_at = -1) : size_(size), throw_at_(throw_at) {}
  DataIterator start_pass(int64_t) override {
    return DataIterator(
        [i = int64_t{0}, size = size_, throw_at = throw_at_]() mutable -> std::optional<Datapoint> {
          if (i == throw_at) throw DataError("numbers.bin", "broken");
          if (i == size) return std::nullopt;
          return Datapoint{at::scalar_tensor(i++, at::kLong)};
        });
  }
  std::optional<int64_t> size() const override { return size_; }

 private:
  int64_t size_, throw_at_;
};

std::vector<int64_t> take(InputSource& input, int64_t limit) {
  std::vector<int64_t> numbers;
  while (static_cast<int64_t>(numbers.size()) < limit) {
    auto datapoint = input.next();
    if (!datapoint) break;
    numbers.push_back(datapoint->at(0).item<int64_t>());
  }
  return numbers;
}

/// Both kinds of input that read a dataflow must behave the same.
class DataFlowInputTest : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<InputSource> make(AnyDataFlow flow, bool infinite,
                                    const std::vector<TensorSpec>& signature = kNumber) {
    std::unique_ptr<InputSource> input;
    if (GetParam()) {
      input = std::make_unique<QueueInput>(flow, QueueInputOptions{.capacity = 3, .infinite = infinite});
    } else {
      input = std::make_unique<FeedInput>(flow, FeedInputOptions{.infinite = infinite});
    }
    input->setup(signature);
    input->reset_state();
    return input;
  }

  Graph graph;
  GraphScope as_default{graph};
};
INSTANTIATE_TEST_SUITE_P(FeedAndQueue, DataFlowInputTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "QueueInput" : "FeedInput"; });

TEST_P(DataFlowInputTest, TrainingInputRepeatsForEver) {
  auto input = make(Numbers(3), true);
  EXPECT_THAT(take(*input, 7), ElementsAre(0, 1, 2, 0, 1, 2, 0));
  EXPECT_EQ(input->size(), 3);
}

TEST_P(DataFlowInputTest, InferenceInputEndsAndCanBeReadAgain) {
  auto input = make(Numbers(13), false);
  EXPECT_EQ(take(*input, 100).size(), 13u);
  EXPECT_FALSE(input->next());
  input->reset_state();
  EXPECT_EQ(take(*input, 100).size(), 13u);
}

TEST_P(DataFlowInputTest, ResetStartsFromTheBeginning) {
  auto input = make(Numbers(39), true);
  take(*input, 5);
  input->reset_state();
  EXPECT_THAT(take(*input, 2), ElementsAre(0, 1));
}

TEST_P(DataFlowInputTest, EmptyDataIsAnErrorForTrainingAndAnEndForInference) {
  auto training = make(Numbers(0), true);
  EXPECT_THROW(training->next(), DataError);
  auto inference = make(Numbers(0), false);
  EXPECT_FALSE(inference->next());
}

TEST_P(DataFlowInputTest, AnErrorInTheDataArrivesAfterWhatCameBeforeIt) {
  auto input = make(Numbers(10, 4), true);
  EXPECT_THAT(take(*input, 4), ElementsAre(0, 1, 2, 3));
  try {
    input->next();
    ADD_FAILURE() << "expected a DataError";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("numbers.bin: broken"));
  }
}

TEST_P(DataFlowInputTest, DatapointsMustHaveOneComponentForEachInput) {
  auto input = make(Numbers(3), true, {{"image", {kDynamic}, kFloat32}, {"label", {}, kInt64}});
  try {
    input->next();
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("expected datapoints of 2 components (image, label), got 1"));
  }
}

TEST_P(DataFlowInputTest, HasOneValueForEachOfItsPlaceholders) {
  auto input = make(Numbers(1), false);
  EXPECT_EQ(input->next()->size(), input->feed_tensors().size());
}

TEST_P(DataFlowInputTest, AStopRequestIsTheEnd) {
  auto input = make(Numbers(3), true);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(input->next(stop.get_token()));
}

TEST_P(DataFlowInputTest, NextBeforeResetIsAnError) {
  auto input = make(Numbers(3), true);
  input->stop();
  EXPECT_THROW(input->next(), UsageError);
  input->reset_state();
  EXPECT_TRUE(input->next());
}

TEST_P(DataFlowInputTest, PlaceholdersAreNamedAsTheInputsAndShared) {
  auto first = make(Numbers(3), true);
  auto second = make(Numbers(3), true);
  EXPECT_EQ(first->input_tensors(), second->input_tensors());
  EXPECT_EQ(first->input_tensors()[0].name(), "x:0");
  EXPECT_THROW(make(Numbers(3), true, {{"x", {kDynamic}, kFloat32}}), UsageError);
  EXPECT_THROW(first->setup(kNumber), UsageError);
}

const std::vector<TensorSpec> kThree = {{"x", {}, kInt64}, {"y", {}, kInt64}, {"z", {}, kFloat32}};

TEST_P(DataFlowInputTest, ComponentsWithNamesGoToTheInputsOfTheirNames) {
  const auto number = [](int64_t i) { return at::scalar_tensor(i, at::kLong); };
  const Datapoint datapoint =
      Datapoint::named({{"file", make_text("a.jpg")}, {"y", number(2)}, {"x", number(1)}});
  const std::vector<TensorSpec> signature(kThree.begin(), kThree.begin() + 2);
  const Datapoint values = *make(DataFromList({datapoint}), false, signature)->next();
  EXPECT_THAT((std::vector{values[0].item<int64_t>(), values[1].item<int64_t>()}), ElementsAre(1, 2));
  EXPECT_EQ(values.size(), 2u);
  auto input = make(DataFromList({datapoint}), false, kThree);
  EXPECT_THAT([&] { input->next(); }, testing::ThrowsMessage<UsageError>(HasSubstr(
                                          "expected datapoints with a component 'z', got file, y, x")));
}

TEST_P(DataFlowInputTest, RemappedInputsAreThoseOfTheNames) {
  DataFromList data({{at::scalar_tensor(1.5), at::scalar_tensor(7, at::kLong)}});
  Shared<InputSource> source;
  if (GetParam()) {
    source = QueueInput(data, {.infinite = false});
  } else {
    source = FeedInput(data, {.infinite = false});
  }
  Shared<InputSource> input = remap_input_source(source, {"z", "y"});
  input->setup(kThree);
  const std::vector<Tensor> tensors = input->input_tensors();
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].node().name(), "x");
  EXPECT_THAT(input->feed_tensors(), ElementsAre(tensors[2], tensors[1]));
  input->reset_state();
  EXPECT_EQ(input->size(), 1);
  EXPECT_EQ(input->next()->at(0).item<float>(), 1.5);
  EXPECT_FALSE(input->next());
}

TEST(RemapInputSourceTest, NamesMustBeInputsOfTheModel) {
  Graph graph;
  GraphScope as_default(graph);
  EXPECT_THAT(
      [] {
        remap_input_source(PlaceholderInput(), {"x", "w"})->setup(kThree);
      },
      testing::ThrowsMessage<UsageError>(HasSubstr("expected inputs of the model (x, y, z), got 'w'")));
  EXPECT_THROW(remap_input_source(PlaceholderInput(), {}), UsageError);
  EXPECT_THROW(remap_input_source(PlaceholderInput(), {"x", "x"}), UsageError);
  EXPECT_THROW(remap_input_source(nullptr, {"x"}), UsageError);
}

TEST(PlaceholderInputTest, HasPlaceholdersAndNoValues) {
  Graph graph;
  GraphScope as_default(graph);
  PlaceholderInput input;
  input.setup(kThree);
  input.reset_state();
  EXPECT_EQ(input.input_tensors()[2].node().name(), "z");
  EXPECT_TRUE(input.feed_tensors().empty());
  EXPECT_TRUE(input.next()->empty());
}

TEST(QueueInputTest, AStopRequestWakesAStepThatWaitsForData) {
  Graph graph;
  GraphScope as_default(graph);
  auto flow = std::make_shared<test::StalledFlow>(Datapoint{at::scalar_tensor(1, at::kLong)});
  QueueInput input(flow);
  input.setup(kNumber);
  input.reset_state();
  std::stop_source stop;
  std::thread stopper([&] {
    flow->wait_until_waited_for();
    stop.request_stop();
  });
  EXPECT_FALSE(input.next(stop.get_token()));
  stopper.join();
  flow->release();
}

TEST(QueueInputTest, StopDoesNotWaitForTheDatapointInTheMaking) {
  Graph graph;
  GraphScope as_default(graph);
  auto flow = std::make_shared<test::StalledFlow>(Datapoint{at::scalar_tensor(1, at::kLong)});
  QueueInput input(flow);
  input.setup(kNumber);
  input.reset_state();
  flow->wait_until_waited_for();
  input.stop();
  EXPECT_THROW(input.next(), UsageError);
  flow->release();
  input.reset_state();
  EXPECT_TRUE(input.next());
}

TEST(QueueInputTest, TheQueueFillsWhileNobodyReads) {
  Graph graph;
  GraphScope as_default(graph);
  QueueInput input(Numbers(100), {.capacity = 5});
  input.setup(kNumber);
  input.reset_state();
  while (input.queue_size() < 5) std::this_thread::yield();
  EXPECT_THAT(take(input, 8), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(QueueInputTest, AQueueOfTheProgramTakesDatapointsOfOthersToo) {
  Graph graph;
  GraphScope as_default(graph);
  const auto queue = std::make_shared<BoundedQueue<Datapoint>>(100);
  queue->push({at::scalar_tensor(40, at::kLong)});
  QueueInput input(Numbers(3), {.infinite = false, .queue = queue});
  input.setup(kNumber);
  EXPECT_EQ(input.queue_size(), 0u);
  input.reset_state();
  EXPECT_THAT(take(input, 10), ElementsAre(40, 0, 1, 2));
  EXPECT_FALSE(input.position());
  EXPECT_FALSE(input.resume_at({}));
  EXPECT_THROW(input.reset_state(), UsageError);
  EXPECT_FALSE(queue->push({}));  // it is closed
}

TEST(QueueInputTest, StopCancelsAQueueOfTheProgram) {
  Graph graph;
  GraphScope as_default(graph);
  const auto queue = std::make_shared<BoundedQueue<Datapoint>>(2);
  QueueInput input(Numbers(3), {.queue = queue});
  input.setup(kNumber);
  input.reset_state();
  EXPECT_THAT(take(input, 4), ElementsAre(0, 1, 2, 0));
  input.stop();
  EXPECT_FALSE(queue->pop());
}

const std::vector<TensorSpec> kNumbers = {{"x", {kDynamic}, kInt64}};

/// The batches of a pass over 0 .. 6, up to `limit`.
std::vector<std::string> batches(BatchQueueInput& input, int limit) {
  std::vector<std::string> texts;
  for (int i = 0; i < limit; ++i) {
    const auto batch = input.next();
    if (!batch) break;
    const auto values = batch->at(0).accessor<int64_t, 1>();
    std::string text;
    for (int64_t k = 0; k < values.size(0); ++k) text += std::to_string(values[k]);
    texts.push_back(text);
  }
  return texts;
}

TEST(BatchQueueInputTest, StacksWhatTheQueueHas) {
  Graph graph;
  GraphScope as_default(graph);
  BatchQueueInput input(Numbers(7), 3);
  input.setup(kNumbers);
  input.reset_state();
  EXPECT_EQ(input.size(), 2);
  EXPECT_EQ(input.data_size(), 7);
  EXPECT_THAT(batches(input, 3), ElementsAre("012", "345", "601"));
  EXPECT_EQ(input.position()->pass, 1);
  EXPECT_EQ(input.position()->index, 2);

  BatchQueueInput finite(Numbers(7), 3, {.infinite = false});
  finite.setup(kNumbers);
  finite.reset_state();
  EXPECT_THAT(batches(finite, 5), ElementsAre("012", "345"));

  BatchQueueInput resumed(Numbers(7), 3);
  resumed.setup(kNumbers);
  ASSERT_TRUE(resumed.resume_at(*input.position()));
  resumed.reset_state();
  EXPECT_THAT(batches(resumed, 1), ElementsAre("234"));
}

TEST(BatchQueueInputTest, MisuseIsExplained) {
  Graph graph;
  GraphScope as_default(graph);
  EXPECT_THROW(BatchQueueInput(Numbers(7), 0), UsageError);
  EXPECT_THROW(BatchQueueInput(Numbers(7), 3).setup(kNumber), UsageError);
  EXPECT_THROW(BatchQueueInput(Numbers(7), 3).setup({{"x", {kDynamic, kDynamic}, kInt64}}), UsageError);
  EXPECT_THROW(BatchQueueInput(Numbers(7), 3).setup({{"x", {2}, kInt64}}), UsageError);
  BatchQueueInput uneven(DataFromList({{at::full({1}, 1)}, {at::full({2}, 1)}}), 2);
  uneven.setup({{"x", {kDynamic, 1}, kInt64}});
  uneven.reset_state();
  EXPECT_THROW(uneven.next(), DataError);
}

TEST(QueueInputTest, StoppingEarlyNeverHangs) {
  Graph graph;
  GraphScope as_default(graph);
  for (int i = 0; i < 300; ++i) {
    QueueInput input(Numbers(i % 7 + 1, i % 5 == 0 ? 0 : -1), {.capacity = 2, .infinite = i % 2 == 0});
    if (i == 0) input.setup(kNumber);
    input.reset_state();
    if (i % 3 == 0) input.stop();
  }
}

TEST(TensorInputTest, ProvidesTheTensorsOfTheFunctionWithoutFeeds) {
  Graph graph;
  GraphScope as_default(graph);
  TensorInput input(
      [] {
        return std::vector<Tensor>{
            default_graph().add("aten::zeros", {}, {{"size", Shape{2}}, {"dtype", kInt64}}).output()};
      },
      39);
  input.setup({{"x", {kDynamic}, kInt64}});
  EXPECT_EQ(input.input_tensors()[0].shape(), Shape({2}));
  EXPECT_TRUE(input.next()->empty());
  EXPECT_TRUE(input.feed_tensors().empty());
  EXPECT_EQ(input.size(), 39);
}

TEST(TensorInputTest, TheNumberOfTensorsMustFit) {
  Graph graph;
  GraphScope as_default(graph);
  TensorInput input([] { return std::vector<Tensor>(); });
  input.setup(kNumber);
  EXPECT_THROW(input.input_tensors(), UsageError);
  EXPECT_THROW(TensorInput([] { return std::vector<Tensor>(); }, 0), UsageError);
}

TEST(DummyConstantInputTest, GivesZerosOfTheShapes) {
  Graph graph;
  GraphScope as_default(graph);
  DummyConstantInput input({{4, 2}, {4}});
  input.setup({{"image", {kDynamic, 2}, kFloat32}, {"label", {kDynamic}, kInt64}});
  Session session(graph);
  EXPECT_EQ(session.run(input.input_tensors()[0]).sizes(), at::IntArrayRef({4, 2}));
  EXPECT_EQ(session.run(input.input_tensors()[1]).scalar_type(), at::kLong);
}

TEST(DummyConstantInputTest, ShapesMustFitTheSignature) {
  Graph graph;
  GraphScope as_default(graph);
  const std::vector<TensorSpec> signature = {{"image", {kDynamic, 2}, kFloat32}};
  EXPECT_THROW(DummyConstantInput({{kDynamic, 2}}).setup(signature), UsageError);
  EXPECT_THROW(DummyConstantInput({{4, 3}}).setup(signature), UsageError);
  EXPECT_THROW(DummyConstantInput({}).setup(signature), UsageError);
}

TEST_P(DataFlowInputTest, GoesOnFromWhatWasTakenNotFromWhatWasProduced) {
  auto first = make(Numbers(5), true);
  EXPECT_EQ(first->position(), (DataPosition{0, 0}));
  EXPECT_THAT(take(*first, 7), ElementsAre(0, 1, 2, 3, 4, 0, 1));
  const DataPosition position = first->position().value();
  EXPECT_EQ(position.index, 2);
  first->stop();
  EXPECT_EQ(first->position(), position) << "a checkpoint may be saved after the input has stopped";

  auto second = make(Numbers(5), true);
  ASSERT_TRUE(second->resume_at(position));
  second->reset_state();
  EXPECT_THAT(take(*second, 4), ElementsAre(2, 3, 4, 0));
  second->reset_state();
  EXPECT_THAT(take(*second, 1), ElementsAre(0)) << "only one pass begins there";
}

TEST_P(DataFlowInputTest, ShuffledPassesGoOnInTheirOrder) {
  auto shuffled = [] { return ShuffleData(Numbers(5)); };
  auto whole = make(shuffled(), true);
  const std::vector<int64_t> expected = take(*whole, 40);
  for (const int64_t taken : {0, 3, 5, 12, 15}) {
    auto first = make(shuffled(), true), second = make(shuffled(), true);
    take(*first, taken);
    ASSERT_TRUE(second->resume_at(first->position().value()));
    second->reset_state();
    EXPECT_EQ(take(*second, 20),
              std::vector<int64_t>(expected.begin() + taken, expected.begin() + taken + 20));
  }
}

TEST_P(DataFlowInputTest, WhatIsGoneHasNoPosition) {
  auto queue = std::make_shared<BoundedQueue<Datapoint>>(10);
  queue->push({at::scalar_tensor(1, at::kLong)});
  auto input = make(BatchData(DataFromQueue(queue), 1), true, {{"x", {kDynamic}, kInt64}});
  EXPECT_TRUE(input->next());
  EXPECT_EQ(input->position(), std::nullopt);
  EXPECT_FALSE(input->resume_at({0, 1}));
  queue->cancel();
}

TEST(QueueInputTest, ASystemWithoutThreadsIsAnError) {
  test::expect_throws_without_threads(1, [] {
    Graph graph;
    GraphScope as_default(graph);
    QueueInput input(Numbers(3));
    input.setup(kNumber);
    input.reset_state();
    input.next();
  });
}

}  // namespace
}  // namespace belfry
