#include "belfry/optim/gradient_processor.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/momentum.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Two variables with gradients [3, 4] and 12 (together of norm 13), and one without.
class GradientProcessorTest : public testing::Test {
 protected:
  GradientProcessorTest() {
    set_log_sink([this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; });
    add("conv0/W", {2}, constant(std::vector<double>{3, 4}));
    add("fc0/b", {}, constant(12.0));
    add("unused", {}, Tensor());
  }
  ~GradientProcessorTest() override { set_log_sink({}); }

  void add(const std::string& name, const Shape& shape, const Tensor& gradient) {
    pairs.push_back({gradient, get_variable(name, shape, {.initializer = zeros_initializer()})});
  }

  std::vector<std::string> names(const GradientsAndVariables& given) const {
    std::vector<std::string> result;
    for (const auto& pair : given) result.push_back(pair.variable.name());
    return result;
  }

  at::Tensor value(const Tensor& tensor) { return Session(graph).run(tensor); }

  Graph graph;
  GraphScope as_default{graph};
  GradientsAndVariables pairs;
  std::string log;
};

TEST_F(GradientProcessorTest, FilterNoneGradDropsAndWarns) {
  EXPECT_THAT(names(FilterNoneGrad().process(pairs)), ElementsAre("conv0/W", "fc0/b"));
  EXPECT_THAT(log, HasSubstr("unused"));
}

TEST_F(GradientProcessorTest, GlobalNormClipScalesAllByOneFactor) {
  const auto clipped = GlobalNormClip(6.5).process(pairs);
  EXPECT_TRUE(test::close(value(clipped[0].gradient), at::tensor({1.5, 2.0}), test::kSameFormula));
  EXPECT_TRUE(test::close(value(clipped[1].gradient), at::full({}, 6.0), test::kSameFormula));
  EXPECT_FALSE(clipped[2].gradient.defined());
}

TEST_F(GradientProcessorTest, GlobalNormClipLeavesSmallGradients) {
  const auto clipped = GlobalNormClip(14).process(pairs);
  EXPECT_TRUE(test::close(value(clipped[0].gradient), at::tensor({3.0, 4.0}), test::kSameFormula));
}

/// TensorFlow 2.15: tf.clip_by_global_norm([[inf, 4], 12], 6.5) is [[nan, nan], nan].
TEST_F(GradientProcessorTest, GlobalNormClipHidesNoInfinity) {
  pairs[0].gradient = constant(std::vector<double>{std::numeric_limits<double>::infinity(), 4});
  const auto clipped = GlobalNormClip(6.5).process(pairs);
  EXPECT_TRUE(value(clipped[0].gradient).isnan().all().item<bool>());
  EXPECT_TRUE(value(clipped[1].gradient).isnan().all().item<bool>());
}

TEST_F(GradientProcessorTest, ANormThatIsNotPositiveIsAnError) {
  EXPECT_THROW(GlobalNormClip(0), UsageError);
  EXPECT_THROW(GlobalNormClip(-1), UsageError);
  EXPECT_THROW(clip_by_global_norm({pairs[1].gradient}, -1), UsageError);
  EXPECT_THROW(clip_by_norm(pairs[1].gradient, 0), UsageError);
}

TEST_F(GradientProcessorTest, ScaleGradientTakesTheFirstMatchOfTheWholeName) {
  const auto scaled =
      ScaleGradient({{"W", 7.0}, {".*/b", 2.0}, {"conv0/.*", 0.0}, {"fc0/.*", 3.0}}).process(pairs);
  EXPECT_THAT(names(scaled), ElementsAre("fc0/b", "unused"));
  EXPECT_TRUE(test::close(value(scaled[0].gradient), at::full({}, 24.0), test::kSameFormula));
}

TEST_F(GradientProcessorTest, MapGradientWarnsWhenNothingMatches) {
  MapGradient([](const Tensor& g, const Variable&) { return g; }, "nothing").process(pairs);
  EXPECT_THAT(log, HasSubstr("no variable matches 'nothing'"));
}

TEST_F(GradientProcessorTest, WithoutVerboseNothingIsLogged) {
  EXPECT_THAT(names(FilterNoneGrad({.verbose = false}).process(pairs)), ElementsAre("conv0/W", "fc0/b"));
  ScaleGradient({{".*/b", 2.0}}, {.verbose = false}).process(pairs);
  EXPECT_EQ(log, "");
  ScaleGradient({{".*/b", 2.0}}).process(pairs);
  EXPECT_THAT(log, HasSubstr("The gradient of 'fc0/b' is multiplied by 2"));
}

TEST_F(GradientProcessorTest, MapGradientTakesFunctionsOfTheGradientAlone) {
  const auto mapped = MapGradient([](const Tensor& g) { return -g; }, "fc0/.*").process(pairs);
  EXPECT_TRUE(test::close(value(mapped[0].gradient), at::tensor({3.0, 4.0}), test::kSameFormula));
  EXPECT_TRUE(test::close(value(mapped[1].gradient), at::full({}, -12.0), test::kSameFormula));
}

TEST_F(GradientProcessorTest, AMalformedPatternIsAnError) {
  EXPECT_THROW(ScaleGradient({{"(", 2.0}}), UsageError);
}

TEST_F(GradientProcessorTest, CheckGradientNamesTheVariable) {
  pairs[1].gradient = constant(1.0) / constant(0.0);
  const auto checked = CheckGradient().process(pairs);
  EXPECT_TRUE(test::close(value(checked[0].gradient), at::tensor({3.0, 4.0}), test::kSameFormula));
  try {
    value(checked[1].gradient);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("fc0/b"));
  }
}

TEST_F(GradientProcessorTest, SlotsAreThoseOfTheOptimizerInside) {
  auto optimizer = apply_grad_processors(std::make_unique<Momentum>(MomentumOptions()), GlobalNormClip(6.5));
  optimizer->apply_gradients(pairs);
  EXPECT_THAT(optimizer->slot_names(), ElementsAre("momentum"));
  EXPECT_EQ(optimizer->slot(pairs[0].variable, "momentum").name(), "conv0/W/Momentum");
}

TEST_F(GradientProcessorTest, NothingInPlaceOfAnOptimizerOrProcessorIsAnError) {
  EXPECT_THROW(apply_grad_processors(nullptr, GlobalNormClip(1)), UsageError);
  EXPECT_THROW(apply_grad_processors(std::make_unique<GradientDescent>(GradientDescentOptions()),
                                     GradientProcessors{nullptr}),
               UsageError);
  EXPECT_THROW(MapGradient(nullptr), UsageError);
}

TEST_F(GradientProcessorTest, ProcessorsRunInOrderBeforeTheUpdate) {
  auto optimizer =
      apply_grad_processors(std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 1.0}),
                            GlobalNormClip(6.5), ScaleGradient({{".*/b", 2.0}}));
  const Tensor train = optimizer->apply_gradients(pairs);
  Session session(graph);
  session.initialize_variables();
  session.run(train);
  EXPECT_TRUE(test::close(session.value(pairs[0].variable), at::tensor({-1.5, -2.0}), test::kSameFormula));
  EXPECT_TRUE(test::close(session.value(pairs[1].variable), at::full({}, -12.0), test::kSameFormula));
}

}  // namespace
}  // namespace belfry
