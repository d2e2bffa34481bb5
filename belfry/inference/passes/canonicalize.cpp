#include <functional>
#include <map>
#include <string_view>

#include "belfry/graph/custom_gradient.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"

// Of many ways to write a layer, one is left for the other passes: fused_conv2d, fused_linear and
// fused_scale_shift, on NHWC images, with weights that can be prepared before any call. A rule per operator,
// found by its name. Images in NCHW are transposed before and after, and cancel_transposes takes away what
// meets.

namespace belfry::internal {
namespace {

class Canonicalizer {
 public:
  explicit Canonicalizer(const Function& source)
      : independent_(independent_nodes(source)), rewriter_(source) {}

  Function run() {
    return rewriter_.run([this](const Node& node) { return rule(node); });
  }

 private:
  Tensor rule(const Node& node) {
    using Method = Tensor (Canonicalizer::*)(const Node&);
    static const std::map<std::string, Method, std::less<>> rules = {
        {"belfry::conv2d", &Canonicalizer::conv2d},
        {"belfry::depthwise_conv2d", &Canonicalizer::conv2d},
        {"belfry::batch_norm", &Canonicalizer::batch_norm},
        {"belfry::bias_add", &Canonicalizer::bias_add},
        {"belfry::max_pool2d", &Canonicalizer::pool2d},
        {"belfry::avg_pool2d", &Canonicalizer::pool2d},
        {"aten::addmm", &Canonicalizer::addmm},
        {"aten::matmul", &Canonicalizer::matmul},
        {"aten::add.Tensor", &Canonicalizer::add},
        {"belfry::custom_gradient", &Canonicalizer::custom_gradient},
        {"belfry::custom_gradient.generator", &Canonicalizer::custom_gradient},
    };
    if (node.kind() != NodeKind::kCall || independent_.contains(&node)) return {};
    const auto found = rules.find(node.op_name());
    return found == rules.end() ? Tensor() : (this->*found->second)(node);
  }

  /// Whether it can be prepared before any call.
  bool is_weight(const Tensor& old) const { return !old.defined() || independent_.contains(&old.node()); }

  /// `build(x)` on the NHWC form of the image `x`, and its outcome back in the node's own form.
  template <typename Build>
  Tensor on_nhwc(const Node& node, const Tensor& x, Build build) {
    if (x.rank() <= 2 || node.attribute("data_format").toStringRef() == "NHWC") return build(x);
    std::vector<int64_t> channels_last = {0}, channels_first = {0, x.rank() - 1};
    for (int64_t axis = 2; axis < x.rank(); ++axis) channels_last.push_back(axis);
    channels_last.push_back(1);
    for (int64_t axis = 1; axis + 1 < x.rank(); ++axis) channels_first.push_back(axis);
    return transpose(build(transpose(x, channels_last)), channels_first);
  }

  /// Where derivatives are nodes already.
  Tensor custom_gradient(const Node& node) {
    const auto values = values_of_custom_gradient(node);
    for (size_t i = 0; i < values.size(); ++i)
      rewriter_.define(node.output(static_cast<int>(i)), rewriter_(values[i]));
    return {};
  }

  Tensor conv2d(const Node& node) {
    const OpParts parts(node);
    const bool depthwise = parts.op == "belfry::depthwise_conv2d";
    const Tensor old_bias = depthwise ? Tensor() : parts.inputs[2];
    if (!is_weight(parts.inputs[1]) || !is_weight(old_bias)) return {};
    Tensor filter = rewriter_(parts.inputs[1]);
    const Tensor bias = rewriter_(old_bias);
    int64_t groups = depthwise ? filter.dim(2) : parts.get<int64_t>("groups");
    if (depthwise) filter = reshape(filter, {filter.dim(0), filter.dim(1), 1, filter.dim(2) * filter.dim(3)});
    return on_nhwc(node, rewriter_(parts.inputs[0]), [&](const Tensor& x) {
      return call("belfry::fused_conv2d", {x, filter, bias},
                  {{"strides", parts.get<std::vector<int64_t>>("strides")},
                   {"padding", parts.get<std::string>("padding")},
                   {"dilations", parts.get<std::vector<int64_t>>("dilations")},
                   {"groups", groups}},
                  node.name() + "/");
    });
  }

  Tensor scale_shift(const Node& node, const Tensor& x, const Tensor& scale, const Tensor& shift) {
    return call("belfry::fused_scale_shift", {x, scale, shift}, {}, node.name() + "/");
  }

  Tensor batch_norm(const Node& node) {
    for (const char* name : {"mean", "variance", "scale", "offset"}) {
      if (!is_weight(input_named(node, name))) return {};
    }
    auto input = [&](const char* name) { return rewriter_(input_named(node, name)); };
    const Tensor gamma = input("scale"), beta = input("offset");
    Tensor scale = call("aten::rsqrt", {input("variance") + node.attribute("epsilon").toDouble()});
    if (gamma.defined()) scale = scale * gamma;
    const Tensor mean = input("mean") * scale;
    const Tensor shift = beta.defined() ? beta - mean : -mean;
    return on_nhwc(node, input("input"), [&](const Tensor& x) { return scale_shift(node, x, scale, shift); });
  }

  Tensor add_to_channels(const Node& node, const Tensor& x, const Tensor& bias) {
    return scale_shift(node, x, ones_like(bias), bias);
  }

  Tensor bias_add(const Node& node) {
    if (!is_weight(input_named(node, "bias"))) return {};
    return on_nhwc(node, rewriter_(input_named(node, "x")), [&](const Tensor& x) {
      return add_to_channels(node, x, rewriter_(input_named(node, "bias")));
    });
  }

  Tensor pool2d(const Node& node) {
    OpParts parts(node);
    if (parts.get<std::string>("data_format") == "NHWC") return {};
    parts.set("data_format", "NHWC");
    return on_nhwc(node, rewriter_(parts.inputs[0]), [&](const Tensor& x) {
      parts.inputs = {x};
      return parts.build(node.name());
    });
  }

  Tensor linear(const Node& node, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return call("belfry::fused_linear", {rewriter_(x), rewriter_(weight), rewriter_(bias)}, {},
                node.name() + "/");
  }

  Tensor addmm(const Node& node) {
    const Tensor bias = input_named(node, "self"), weight = input_named(node, "mat2");
    const bool plain = node.attribute("alpha").toScalar().toDouble() == 1 &&
                       node.attribute("beta").toScalar().toDouble() == 1 && bias.rank() == 1;
    if (!plain || !is_weight(bias) || !is_weight(weight)) return {};
    return linear(node, input_named(node, "mat1"), weight, bias);
  }

  Tensor matmul(const Node& node) {
    const Tensor x = input_named(node, "self"), weight = input_named(node, "other");
    if (!is_weight(weight) || weight.rank() != 2 || x.rank() < 2) return {};
    return linear(node, x, weight, {});
  }

  /// An addition of a bias: one value for each channel of the last dimension.
  Tensor add(const Node& node) {
    Tensor x = input_named(node, "self"), bias = input_named(node, "other");
    if (is_weight(x)) std::swap(x, bias);
    const bool is_bias = is_weight(bias) && bias.rank() == 1 && x.rank() >= 2 && x.dim(-1) == bias.dim(0) &&
                         x.dtype() == bias.dtype() && c10::isFloatingType(x.dtype()) &&
                         node.attribute("alpha").toScalar().toDouble() == 1;
    return is_bias ? add_to_channels(node, rewriter_(x), rewriter_(bias)) : Tensor();
  }

  std::unordered_set<const Node*> independent_;
  Rewriter rewriter_;
};

}  // namespace

Function canonicalize(const Function& graph) {
  return Canonicalizer(graph).run();
}

}  // namespace belfry::internal
