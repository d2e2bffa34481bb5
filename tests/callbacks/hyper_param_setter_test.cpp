#include "belfry/callbacks/hyper_param_setter.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;
using Schedule = ScheduledHyperParamSetter::Schedule;

/// Remembers the value of a variable during each step.
class Watch : public Callback {
 public:
  explicit Watch(std::vector<double>& values) : values_(&values) {}
  std::string name() const override { return "Watch"; }
  std::vector<Tensor> before_run() override { return {trainer().graph().tensor("lr")}; }
  void after_run(const std::vector<at::Tensor>& values) override {
    values_->push_back(values[0].item<double>());
  }

 private:
  std::vector<double>* values_;
};

struct HyperParamSetterTest : testing::Test {
  /// The values of "lr", 0 at first, in the steps of a training of epochs of two steps.
  std::vector<double> values(Schedule schedule, ScheduleOptions options, int64_t starting_epoch = 1) {
    TinyTrainer trainer;
    trainer.build(
        [] { get_variable("lr", {}, {.dtype = kFloat64, .initializer = zeros, .trainable = false}); });
    std::vector<double> values;
    trainer.train({.callbacks = callbacks(ScheduledHyperParamSetter("lr:0", std::move(schedule), options),
                                          Watch(values)),
                   .loop = {.steps_per_epoch = 2, .starting_epoch = starting_epoch, .max_epoch = 4}});
    return values;
  }

  static Tensor zeros(const Shape& shape, DType dtype) {
    return default_graph().add("aten::zeros", {}, {{"size", shape}, {"dtype", dtype}}).output();
  }

  test::LogLines log;
};

TEST_F(HyperParamSetterTest, SaysHowANumberBecomesAVariable) {
  TinyTrainer trainer;
  trainer.build([] {});
  try {
    trainer.train({.callbacks = callbacks(ScheduledHyperParamSetter("learning_rate", {{0, 0.1}})),
                   .loop = {.steps_per_epoch = 2, .max_epoch = 1}});
    ADD_FAILURE() << "took a name without a variable";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("must be a variable, get_variable(\"learning_rate\", {}, {.initializer"));
  }
}

TEST_F(HyperParamSetterTest, SetsTheValueAfterTheEpochHasEnded) {
  EXPECT_THAT(values({{2, 0.25}, {0, 0.5}}, {}), ElementsAre(0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25));
}

TEST_F(HyperParamSetterTest, InterpolatesBetweenEntriesWhenAsked) {
  EXPECT_THAT(values({{1, 1}, {3, 2}}, {.linear = true}), ElementsAre(0, 0, 1, 1, 1.5, 1.5, 2, 2));
}

TEST_F(HyperParamSetterTest, CountsStepsWhenAsked) {
  EXPECT_THAT(values({{0, 1}, {3, 2}}, {.step_based = true}), ElementsAre(1, 1, 1, 2, 2, 2, 2, 2));
}

TEST_F(HyperParamSetterTest, AResumedTrainingStartsWithTheValueInForce) {
  EXPECT_THAT(values({{0, 1}, {1, 0.5}, {3, 0.25}}, {}, 3), ElementsAre(0.5, 0.5, 0.25, 0.25));
  EXPECT_THAT(values({{0, 1}, {4, 5}}, {.linear = true}, 3), ElementsAre(3, 3, 4, 4));
}

TEST_F(HyperParamSetterTest, OrOnlyWarnsThatItDiffers) {
  EXPECT_THAT(values({{0, 1}, {1, 0.5}}, {.set_at_beginning = false}, 3), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(log.text(), HasSubstr("lr should be 0.5 now, but it is 0"));
}

TEST_F(HyperParamSetterTest, AValueOfZeroIsAValue) {
  EXPECT_THAT(values({{0, 1}, {1, 0}}, {}, 3), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(values({{0, 1}, {3, 0}}, {}, 3), ElementsAre(1, 1, 0, 0));
}

TEST_F(HyperParamSetterTest, ChangesAreLogged) {
  values({{0, 1}, {2, 0.5}}, {});
  EXPECT_THAT(log.text(), HasSubstr("At global_step=0, lr is set to 1.0"));
  EXPECT_THAT(log.text(), HasSubstr("At global_step=4, lr changes from 1.000000 to 0.500000"));
}

/// A parameter that is no variable of the graph.
class Number : public HyperParam {
 public:
  explicit Number(double& number) : number_(&number) {}
  std::string name() const override { return "number"; }
  double value() const override { return *number_; }
  void set_value(double value) override { *number_ = value; }

 private:
  double* number_;
};

TEST_F(HyperParamSetterTest, SetsAnyHyperParam) {
  double number = 0;
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(ScheduledHyperParamSetter(Number(number), {{1, 7}})),
                 .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
  EXPECT_EQ(number, 7);
}

/// Keeps the variable "weights", 1, 1, 1 at first, up to date with `callback` for three epochs; returns it.
at::Tensor weights_after(Shared<Callback> callback) {
  TinyTrainer trainer;
  trainer.build([] {
    get_variable(
        "weights", {3},
        {.initializer =
             [](const Shape& shape, DType dtype) {
               return default_graph().add("aten::ones", {}, {{"size", shape}, {"dtype", dtype}}).output();
             },
         .trainable = false});
  });
  trainer.train({.callbacks = {callback}, .loop = {.steps_per_epoch = 1, .max_epoch = 3}});
  return trainer.session().run("weights");
}

TEST_F(HyperParamSetterTest, SetsVariablesThatAreNoScalars) {
  const auto doubled = [](int64_t epoch, const at::Tensor& old) {
    return old.mul(at::tensor({1, 2, 4})).add(static_cast<double>(epoch));
  };
  // Before training and after each epoch: 1, 2, 4, 7; 1 x 2 + 0, 2 x 2 + 1, 12, 27; 4, 17, 70, 283.
  EXPECT_TRUE(weights_after(HyperParamSetterWithFunc(GraphVarParam("weights", {3}), doubled))
                  .equal(at::tensor({7.f, 27.f, 283.f})));
  EXPECT_THAT(log.text(), HasSubstr("At global_step=3, weights changes."));
  EXPECT_TRUE(weights_after(ScheduledHyperParamSetter(GraphVarParam("weights", {3}), {{2, 0.5}}))
                  .equal(at::tensor({0.5f, 0.5f, 0.5f})));
}

TEST_F(HyperParamSetterTest, ShapesAndElementsMustFit) {
  const auto same = [](int64_t, const at::Tensor& old) { return old; };
  EXPECT_THROW(weights_after(HyperParamSetterWithFunc(GraphVarParam("weights"), same)), UsageError);
  EXPECT_THROW(weights_after(HyperParamSetterWithFunc(GraphVarParam("weights", {4}), same)), UsageError);
  const auto longer = [](int64_t, const at::Tensor&) { return at::ones({4}); };
  EXPECT_THROW(weights_after(HyperParamSetterWithFunc(GraphVarParam("weights", {3}), longer)), UsageError);
  const auto fractions = [](int64_t, const at::Tensor&) { return at::tensor(0.5); };
  TinyTrainer integers;
  EXPECT_THROW(integers.train({.callbacks = callbacks(
                                   HyperParamSetterWithFunc(GraphVarParam("global_step"), fractions))}),
               UsageError);
}

TEST_F(HyperParamSetterTest, MisuseIsExplained) {
  EXPECT_THROW(ScheduledHyperParamSetter("lr", {{1, 2}, {1, 3}}), UsageError);
  TinyTrainer trainer;
  EXPECT_THROW(trainer.train({.callbacks = callbacks(ScheduledHyperParamSetter("lr", {{1, 2}}))}),
               UsageError);
  TinyTrainer integers;
  EXPECT_THROW(integers.train({.callbacks = callbacks(ScheduledHyperParamSetter("global_step", {{0, 0.5}}))}),
               UsageError);
}

}  // namespace
}  // namespace belfry
