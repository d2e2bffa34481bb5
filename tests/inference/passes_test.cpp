#include "belfry/inference/internal/passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "belfry/graph/function.h"
#include "belfry/ops/ops.h"

namespace belfry {
namespace {

using namespace internal;

/// The operators of a function without "aten::" and "belfry::", with what fusion put into them:
/// "fused_conv2d+bias+residual+relu".
std::string operators_of(const Function& function) {
  std::string text;
  for (const Node* node : function.calls()) {
    std::string name = node->op_name().substr(node->op_name().find("::") + 2);
    if (name.starts_with("fused_")) {
      const auto has = [&](const char* input) {
        return node->op().schema().argumentIndexWithName(input) && !node->attribute(input).isNone();
      };
      const auto given = [&](const char* input) {
        const auto index = node->op().schema().argumentIndexWithName(input);
        return index && !node->arguments()[*index].inputs.empty() && node->arguments()[*index].inputs[0] >= 0;
      };
      if (given("bias")) name += "+bias";
      if (given("residual")) name += "+residual";
      if (has("activation") && node->attribute("activation").toStringRef() != "none")
        name += "+" + node->attribute("activation").toStringRef();
    }
    text += (text.empty() ? "" : " ") + name;
  }
  return text;
}

using Build = Tensor (*)(const Tensor& image);

Tensor weights(const Shape& shape, const std::string& name = "W") {
  return get_variable(name, shape);
}
Tensor conv(const Tensor& x, const std::string& name = "W") {
  return conv2d(x, weights({3, 3, x.dim(-1), 4}, name));
}
Tensor shifted(const Tensor& x, const std::string& name = "b") {
  return bias_add(x, weights({4}, name));
}

struct Case {
  const char* name;
  Build build;
  std::vector<Function (*)(const Function&)> passes;
  const char* expected;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

class PassTest : public testing::TestWithParam<Case> {};

TEST_P(PassTest, Leaves) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor image = placeholder("image", {kDynamic, 8, 8, 4});
  auto function = extract_function({image}, {GetParam().build(image)});
  ASSERT_TRUE(function);
  for (const auto pass : GetParam().passes) *function = pass(*function);
  EXPECT_EQ(operators_of(*function), GetParam().expected);
}

const Case kCases[] = {
    {"AConvolutionBecomesItsFusedForm",
     [](const Tensor& x) { return conv(x); },
     {canonicalize},
     "fused_conv2d"},
    {"ABiasBecomesAShift",
     [](const Tensor& x) { return shifted(conv(x)); },
     {canonicalize},
     "fused_conv2d ones_like fused_scale_shift"},
    {"TransposesThatCancelGo",
     [](const Tensor& x) {
       return transpose(transpose(x, {0, 3, 1, 2}), {0, 2, 3, 1});
     },
     {cancel_transposes},
     ""},
    {"TransposesThatDoNotBecomeOne",
     [](const Tensor& x) {
       return transpose(transpose(x, {0, 3, 1, 2}), {0, 3, 1, 2});
     },
     {cancel_transposes},
     "permute"},
    {"TransposesMoveBehindAnActivation",
     [](const Tensor& x) {
       return transpose(relu(transpose(x, {0, 3, 1, 2})), {0, 2, 3, 1});
     },
     {cancel_transposes},
     "relu"},
    {"ZerosAroundAnImageGoIntoTheConvolution",
     [](const Tensor& x) {
       return conv2d(pad(x, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}), weights({3, 3, 4, 4}), {.padding = "VALID"});
     },
     {canonicalize, fold_padding},
     "fused_conv2d"},
    {"OtherNumbersAroundAnImageStay",
     [](const Tensor& x) {
       return conv2d(pad(x, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}, {.value = 1}), weights({3, 3, 4, 4}),
                     {.padding = "VALID"});
     },
     {canonicalize, fold_padding},
     "pad fused_conv2d"},
    {"ASumGoesIntoTheConvolutionBeforeIt",
     [](const Tensor& x) { return conv(x) + x; },
     {canonicalize, fuse_residuals},
     "fused_conv2d+residual"},
    {"AConvolutionThatIsNeededTwiceKeepsItsOutput",
     [](const Tensor& x) {
       const Tensor y = conv(x);
       return (y + x) * y;
     },
     {canonicalize, fuse_residuals},
     "fused_conv2d add.Tensor mul.Tensor"},
    {"ABiasGoesIntoTheConvolution",
     [](const Tensor& x) { return shifted(conv(x)); },
     {canonicalize, fold_batch_norm},
     "ones_like mul.Tensor fused_conv2d+bias"},
    {"AnActivationGoesIntoTheConvolution",
     [](const Tensor& x) { return relu(conv(x)); },
     {canonicalize, fuse_activations},
     "fused_conv2d+relu"},
    {"OnlyOneActivationGoesIn",
     [](const Tensor& x) { return sigmoid(relu(conv(x))); },
     {canonicalize, fuse_activations},
     "fused_conv2d+relu sigmoid"},
    {"AResidualBlockIsTwoOperators",
     [](const Tensor& x) { return relu(conv(relu(conv(x, "W1")), "W2") + x); },
     {canonicalize, fuse_residuals, fuse_activations},
     "fused_conv2d+relu fused_conv2d+residual+relu"},
};

INSTANTIATE_TEST_SUITE_P(Of, PassTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry
