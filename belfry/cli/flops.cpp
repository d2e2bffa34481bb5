#include "belfry/cli/flops.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>

namespace belfry::cli {
namespace {

int64_t elements(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

const Shape& input(const Node& node, size_t index) {
  return node.inputs()[index].shape();
}
int64_t results(const Node& node) {
  return elements(node.outputs()[0].shape);
}

// All count multiply-adds.

/// Each result is a sum over the window and the input channels of its group.
int64_t convolution(const Node& node) {
  return results(node) * elements(input(node, 1)) / input(node, 1)[3];
}
int64_t aten_convolution(const Node& node) {
  return results(node) * elements(input(node, 1)) / input(node, 1)[0];
}
/// The filter is [height, width, channels, multiplier].
int64_t depthwise(const Node& node) {
  return results(node) * input(node, 1)[0] * input(node, 1)[1];
}
/// The filter is [height, width, out, in]: each element of the input goes to the window of all results.
int64_t transposed(const Node& node) {
  return elements(input(node, 0)) * elements(input(node, 1)) / input(node, 1)[3];
}
int64_t product(const Node& node) {
  return results(node) * input(node, 0).back();
}
int64_t added_product(const Node& node) {
  return results(node) * input(node, 1).back();
}
/// Of queries [..., L, E], keys [..., S, E] and values [..., S, V].
int64_t attention(const Node& node) {
  const Shape &query = input(node, 0), &key = input(node, 1), &value = input(node, 2);
  return elements(query) / query.back() * key[key.size() - 2] * (query.back() + value.back());
}

struct Rule {
  std::string_view op;
  int64_t (*multiply_adds)(const Node&);
};

constexpr Rule kRules[] = {{"belfry::conv2d", convolution},
                           {"belfry::depthwise_conv2d", depthwise},
                           {"belfry::conv2d_transpose", transposed},
                           {"aten::conv1d", aten_convolution},
                           {"aten::conv2d", aten_convolution},
                           {"aten::conv3d", aten_convolution},
                           {"aten::matmul", product},
                           {"aten::mm", product},
                           {"aten::bmm", product},
                           {"aten::linear", product},
                           {"aten::addmm", added_product},
                           {"aten::baddbmm", added_product},
                           {"aten::scaled_dot_product_attention", attention}};

}  // namespace

int64_t flops_of(const Node& node) {
  const std::string name = node.op_name();
  const std::string_view without_overload = std::string_view(name).substr(0, name.find('.'));
  const auto rule = std::find_if(std::begin(kRules), std::end(kRules),
                                 [&](const Rule& rule) { return rule.op == without_overload; });
  return rule == std::end(kRules) || results(node) == 0 ? 0 : 2 * rule->multiply_adds(node);
}

}  // namespace belfry::cli
