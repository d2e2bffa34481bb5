#include "belfry/train/train_with_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "belfry/base/log.h"
#include "belfry/base/logger_dir.h"
#include "belfry/callbacks/model_saver.h"
#include "belfry/graph/scope.h"
#include "belfry/input/queue_input.h"
#include "belfry/optim/accum_grad_optimizer.h"
#include "belfry/optim/decay.h"
#include "belfry/optim/momentum.h"
#include "belfry/summary/json_writer.h"
#include "belfry/train/launch.h"
#include "belfry/train/tower_trainer.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"
#include "tests/train/toy_model.h"

namespace belfry {
namespace {

/// A trainer as tensorpack's examples write them: it says what a step is, and nothing else.
class ToyTrainer : public TowerTrainer {
 public:
  explicit ToyTrainer(test::ToyModel& model) {
    const GraphScope as_default(graph());
    set_tower_func(AnyModel(model).tower_func());
    set_input(QueueInput(test::toy_data()));
    set_train_op(model.optimizer()->minimize(build_training_tower()));
  }
};

TEST(TrainWithDefaults, AddsCallbacksAndMonitorsInTheFolderOfTheProcess) {
  test::TempDir folder;
  test::LogLines log;
  set_logger_dir(folder / "run");
  test::ToyModel model;
  ToyTrainer trainer(model);
  const TrainingEnd end = trainer.train_with_defaults(
      {.callbacks = callbacks(ModelSaver()), .loop = {.steps_per_epoch = 3, .max_epoch = 2}});
  log_to_file("");
  EXPECT_EQ(end.reason, EndReason::kMaxEpoch);
  for (const char* name : {"run/model-6.index", "run/stats.json", "run/log.log"})
    EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
  const auto entries = JSONWriter::load_existing(folder / "run");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_TRUE(entries[0].scalars.contains("QueueInput/queue_size"));
  EXPECT_EQ(TrainConfig().log_dir, folder / "run");
}

TEST(TrainWithDefaults, BothListsMayBeReplaced) {
  test::LogLines log;
  test::ToyModel model;
  ToyTrainer trainer(model);
  std::vector<std::string> lines;
  trainer.train_with_defaults({.extra_callbacks = Callbacks(),
                               .monitors = {{std::make_shared<test::RecordingMonitor>(lines)}},
                               .loop = {.steps_per_epoch = 3, .max_epoch = 1},
                               .log_dir = ""});
  EXPECT_EQ(lines.size(), 1u);  // of the input's queue
}

/// A model whose optimizer applies the mean of two batches under a rate that decays.
class AccumulatingModel : public test::ToyModel {
 public:
  std::unique_ptr<Optimizer> optimizer() override {
    const Tensor rate = exponential_decay(0.05, get_global_step(), {.decay_steps = 100, .decay_rate = 0.5});
    return std::make_unique<AccumGradOptimizer>(
        std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate}), 2);
  }
};

TEST(TrainWithDefaults, AModelLearnsWithAccumulatedGradients) {
  test::LogLines log;
  AccumulatingModel model;
  SimpleTrainer trainer;
  launch_train_with_config({.model = model,
                            .dataflow = test::toy_data(),
                            .steps_per_epoch = 200,
                            .max_epoch = 1,
                            .monitors = std::vector<std::shared_ptr<Monitor>>(),
                            .log_dir = ""},
                           trainer);
  EXPECT_NEAR(trainer.session().run("fc/W").item<float>(), 2, 0.1);
  EXPECT_EQ(trainer.session().run("AccumGrad/counter").item<int>(), 200);
  EXPECT_EQ(log.text().find("runs uncompiled"), std::string::npos) << log.text();
}

}  // namespace
}  // namespace belfry
