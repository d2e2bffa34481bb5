// Trainers whose steps are compiled train as those whose steps are not.

#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/log.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/graph/scope.h"
#include "belfry/input/feed_input.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adam.h"
#include "belfry/train/tower_trainer.h"
#include "tests/step/twins.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::Not;

/// As in examples/gan_trainer.cpp: two players with variables, costs and optimizers of their own.
Tensor build_gan(const TowerInputs& in) {
  const auto discriminate = [](const Tensor& x, Reuse reuse) {
    const VariableScope scope("discrim", {.reuse = reuse});
    const auto leaky = [](const Tensor& y) { return leaky_relu(y); };
    return x | FullyConnected("fc0", {.units = 32, .activation = leaky}) | Dropout("drop", {.rate = 0.3}) |
           FullyConnected("fc1", {.units = 1});
  };
  Tensor fake;
  {
    const VariableScope scope("gen");
    fake = in["noise"] | FullyConnected("fc0", {.units = 24, .activation = relu}) |
           FullyConnected("fc1", {.units = 16, .activation = sigmoid});
  }
  const Tensor real_logits = discriminate(in["real"], Reuse::kCreate);
  const Tensor fake_logits = discriminate(fake, Reuse::kReuse);
  const auto cost = [](const Tensor& logits, double target) {
    return mean(sigmoid_cross_entropy(logits, ones_like(logits) * target));
  };
  identity(cost(real_logits, 0.9) + cost(fake_logits, 0), "d_cost");
  identity(cost(fake_logits, 1), "g_cost");
  return {};
}

enum class Runs { kTwo, kOne, kOneAfterTheOther };

class GanTrainer : public TowerTrainer {
 public:
  GanTrainer(Runs runs, const StepOptions& options) : TowerTrainer(options), runs_(runs) {
    graph().set_seed(5);
    at::manual_seed(1);
    const DataFromTensors points({at::rand({39, 16}), at::rand({39, 8})});
    set_tower_func(TowerFunc(build_gan, {{"real", {kDynamic, 16}}, {"noise", {kDynamic, 8}}}));
    set_input(FeedInput(BatchData(points, 13)));
    build_training_tower();
    GraphScope as_default(graph());
    generator_ = minimize("gen", "g_cost");
    const ControlDependencies after(runs == Runs::kOneAfterTheOther ? std::vector{generator_}
                                                                    : std::vector<Tensor>());
    discriminator_ = minimize("discrim", "d_cost");
  }

 private:
  Tensor minimize(const std::string& scope, const std::string& cost) {
    std::vector<Variable> variables = trainable_variables();
    std::erase_if(variables, [&](const Variable& v) { return !v.name().starts_with(scope + "/"); });
    // An identity, as what a control dependency waits for is what is built under it.
    return Adam({.learning_rate = 1e-2, .epsilon = 1e-2})
        .minimize(identity(graph().tensor(cost) * 1.0), variables, {.global_step = {}, .name = scope});
  }

  void run_step() override {
    const std::vector<at::Tensor> batch = next_batch();
    if (runs_ == Runs::kTwo) {
      run({generator_}, batch);
      run_hooked({discriminator_}, batch);
    } else {
      run_hooked({generator_, discriminator_}, batch);
    }
  }

  Runs runs_;
  Tensor generator_, discriminator_;
};

/// Trains both ways; returns the log of the compiled one.
std::string expect_same_training(Runs runs) {
  GanTrainer planned(runs, {.compile = false}), compiled(runs, {});
  const TrainOptions options{.loop = {.steps_per_epoch = 3, .max_epoch = 4}};
  planned.train(options);
  const test::LogLines log;
  compiled.train(options);
  for (const auto& record : planned.graph().variables()) {
    const std::string& name = record->tensor.op_name();
    const Variable variable(record.get()), other(compiled.graph().find_variable(name));
    EXPECT_TRUE(
        test::same_up_to_rounding(compiled.session().value(other), planned.session().value(variable), 1e-3))
        << name;
  }
  return log.text();
}

TEST(CompiledSteps, TwoRunsForEachStepAreCompiled) {
  EXPECT_THAT(expect_same_training(Runs::kTwo), Not(HasSubstr("uncompiled")));
}

TEST(CompiledSteps, TwoCostsInOneRunAreCompiled) {
  EXPECT_THAT(expect_same_training(Runs::kOne), Not(HasSubstr("uncompiled")));
}

/// The second cost waits for the first's update, and reads nothing that this changes.
TEST(CompiledSteps, TwoCostsOneAfterTheOtherAreCompiled) {
  EXPECT_THAT(expect_same_training(Runs::kOneAfterTheOther), Not(HasSubstr("uncompiled")));
}

}  // namespace
}  // namespace belfry
