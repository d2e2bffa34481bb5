#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "belfry/base/error.h"
#include "belfry/callbacks/check_numerics.h"
#include "belfry/callbacks/dump_tensor_as_image.h"
#include "belfry/callbacks/process_tensors.h"
#include "belfry/callbacks/use_moving_averages.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/moving_average.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::LogLines;
using test::RecordingMonitor;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;

struct TensorCallbacksTest : testing::Test {
  TrainingEnd train(Callbacks callbacks, LoopOptions loop = {.steps_per_epoch = 2, .max_epoch = 1}) {
    return trainer.train(
        {.callbacks = std::move(callbacks), .monitors = {monitor}, .loop = loop, .log_dir = folder.path()});
  }

  test::TempDir folder;
  TinyTrainer trainer{{1, 2, 3, 4}};
  std::vector<std::string> lines;
  std::shared_ptr<RecordingMonitor> monitor = std::make_shared<RecordingMonitor>(lines);
};

TEST_F(TensorCallbacksTest, AFunctionGetsTheValuesOfEachStep) {
  trainer.build([&] { identity(trainer.cost() * 10.0, "ten"); });
  std::vector<double> sums;
  train(callbacks(ProcessTensors({"cost", "ten:0"}, [&](const std::vector<at::Tensor>& values) {
    sums.push_back(values[0].item<double>() + values[1].item<double>());
  })));
  EXPECT_THAT(sums, ElementsAre(11, 22));
  EXPECT_THROW(ProcessTensors({"cost"}, {}), UsageError);
}

TEST_F(TensorCallbacksTest, TensorsOfEachStepAreInFilesOfNumpys) {
  train(callbacks(DumpTensors({"cost"})));
  EXPECT_EQ(load_checkpoint(folder / "DumpTensor-1.npz").at("cost").item<float>(), 1);
  EXPECT_EQ(load_checkpoint(folder / "DumpTensor-2.npz").at("cost").item<float>(), 2);
}

TEST_F(TensorCallbacksTest, TensorsAreLogged) {
  trainer.build([&] { constant(at::arange(8, at::kFloat), "numbers"); });
  LogLines log;
  train(callbacks(TensorPrinter({"cost", "numbers"}, 3)));
  EXPECT_THAT(log.text(), HasSubstr("cost: [] 2\nnumbers: [8] 0 1 2 ..."));
}

TEST_F(TensorCallbacksTest, AVariableIsWrittenAsImages) {
  trainer.build([&] {
    get_variable(
        "conv0/W", {2, 3},
        {.initializer = constant_initializer(at::tensor({0.f, 0.5f, 1.f, 2.f, -1.f, NAN}).reshape({2, 3}))});
  });
  train(callbacks(DumpParamAsImage("conv0/W"),
                  DumpTensorAsImage("conv0/W:0", {.prefix = "rows", .map_func = [](const at::Tensor& w) {
                                                    return w.reshape({2, 1, 3, 1});
                                                  }})));
  EXPECT_TRUE(std::filesystem::exists(folder / "conv0-W-ep001.png"));
  EXPECT_TRUE(std::filesystem::exists(folder / "rows-ep001-1.png"));
  EXPECT_THAT(lines, ElementsAre("conv0/W: 1 images@2", "rows: 2 images@2"));
  const at::Tensor rows = monitor->images();
  EXPECT_TRUE(rows.reshape({-1}).equal(at::tensor({0, 127, 255, 255, 0, 0}, at::kByte))) << rows;
}

TEST_F(TensorCallbacksTest, WhatIsNoImageIsAnError) {
  trainer.build([&] { get_variable("v", {2, 3, 5}, {.initializer = zeros_initializer()}); });
  LogLines log;
  EXPECT_THAT(test::message_of<UsageError>([&] { train(callbacks(DumpTensorAsImage("v"))); }),
              HasSubstr("got [2, 3, 5]"));
}

TEST_F(TensorCallbacksTest, AVariableThatIsNotFiniteEndsTraining) {
  trainer.build([&] {
    get_variable("good", {2}, {.initializer = zeros_initializer()});
    get_variable("bad", {2}, {.initializer = zeros_initializer()});
  });
  const auto spoil = AtEpochEnd([](Trainer& t) {
    t.session().set_value(Variable(t.graph().find_variable("bad")),
                          at::full({2}, std::numeric_limits<float>::infinity()));
  });
  LogLines log;
  const std::string message = test::message_of<DataError>([&] { train(callbacks(spoil, CheckNumerics())); });
  EXPECT_THAT(message, HasSubstr("got NaN or infinity in bad"));
}

TEST_F(TensorCallbacksTest, AnotherCallbackSeesAveragesInThePlaceOfVariables) {
  trainer.build([&] {
    get_variable("v", {}, {.initializer = constant_initializer(3)});
    ExponentialMovingAverage().apply();
  });
  std::vector<double> seen;
  const auto look = AtEpochEnd([&](Trainer& t) {
    const Variable v(t.graph().find_variable("v"));
    if (seen.empty())
      t.session().set_value(Variable(t.graph().find_variable("v/ExponentialMovingAverage")),
                            at::full({}, 8.f));
    seen.push_back(t.session().value(v).item<double>());
  });
  train(callbacks(look, UseMovingAverages(look), look));
  EXPECT_THAT(seen, ElementsAre(3, 8, 3));
}

TEST_F(TensorCallbacksTest, WithoutAveragesThereIsNothingToUse) {
  LogLines log;
  EXPECT_THROW(train(callbacks(UseMovingAverages(AtEpochEnd([](Trainer&) {})))), UsageError);
}

TEST_F(TensorCallbacksTest, APredictionLoadsAverages) {
  save_checkpoint(folder / "model.npz", {{"v", at::full({}, 1.f)},
                                         {"v/ExponentialMovingAverage", at::full({}, 2.f)},
                                         {"w", at::full({}, 3.f)}});
  for (const bool averages : {false, true}) {
    Graph graph;
    GraphScope as_default(graph);
    const Variable v = get_variable("v", {}), w = get_variable("w", {});
    Session session(graph);
    session.initialize_variables();
    LogLines log;
    SaverRestore(folder / "model.npz", {.use_moving_averages = averages}).init(session);
    EXPECT_EQ(session.value(v).item<float>(), averages ? 2 : 1);
    EXPECT_EQ(session.value(w).item<float>(), 3);
    EXPECT_THAT(log.text(), testing::Not(HasSubstr("not used")));
  }
}

}  // namespace
}  // namespace belfry
