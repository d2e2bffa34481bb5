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
/// One addition for each result where input `index`, the last, is there.
int64_t bias(const Node& node, size_t index) {
  return node.inputs().size() > index ? results(node) : 0;
}

/// Each result is a sum over the window and the input channels of its group.
int64_t convolution(const Node& node) {
  return 2 * results(node) * elements(input(node, 1)) / input(node, 1)[3] + bias(node, 2);
}
int64_t aten_convolution(const Node& node) {
  return 2 * results(node) * elements(input(node, 1)) / input(node, 1)[0] + bias(node, 2);
}
/// The filter is [height, width, channels, multiplier].
int64_t depthwise(const Node& node) {
  return 2 * results(node) * input(node, 1)[0] * input(node, 1)[1];
}
/// The filter is [height, width, out, in]: each element of the input goes to the window of all results.
int64_t transposed(const Node& node) {
  return 2 * elements(input(node, 0)) * elements(input(node, 1)) / input(node, 1)[3] + bias(node, 2);
}
int64_t product(const Node& node) {
  return 2 * results(node) * input(node, 0).back();
}
int64_t linear(const Node& node) {
  return product(node) + bias(node, 2);
}
int64_t added_product(const Node& node) {
  return 2 * results(node) * input(node, 1).back() + results(node);
}

/// The products of all steps [T, N, C] with the kernels; the gates are few beside them.
int64_t lstm(const Node& node) {
  return 2 * input(node, 0)[0] * input(node, 0)[1] * elements(input(node, 1));
}
int64_t gru(const Node& node) {
  return 2 * input(node, 0)[0] * input(node, 0)[1] * (elements(input(node, 1)) + elements(input(node, 3)));
}

constexpr int64_t kSoftmax = 4;  // less the largest, exp, sum, division

/// Of queries [..., L, E], keys [..., S, E] and values [..., S, V].
int64_t attention(const Node& node) {
  const Shape &query = input(node, 0), &key = input(node, 1), &value = input(node, 2);
  const int64_t scores = elements(query) / query.back() * key[key.size() - 2];
  return scores * (2 * query.back() + 2 * value.back() + kSoftmax);
}

int64_t pool(const Node& node) {
  return results(node) * elements(node.attribute("kernel").toIntVector());
}

/// `times` for each element of the result, or of the input.
template <int64_t times>
int64_t each_result(const Node& node) {
  return times * results(node);
}
int64_t each_input(const Node& node) {
  return elements(input(node, 0));
}
int64_t sum_of_tensors(const Node& node) {
  return results(node) * static_cast<int64_t>(node.inputs().size() - 1);
}

struct Rule {
  std::string_view op;
  int64_t (*flops)(const Node&);
};

constexpr Rule kProducts[] = {{"belfry::conv2d", convolution},
                              {"belfry::depthwise_conv2d", depthwise},
                              {"belfry::conv2d_transpose", transposed},
                              {"aten::conv1d", aten_convolution},
                              {"aten::conv2d", aten_convolution},
                              {"aten::conv3d", aten_convolution},
                              {"aten::matmul", product},
                              {"aten::mm", product},
                              {"aten::bmm", product},
                              {"aten::linear", linear},
                              {"aten::addmm", added_product},
                              {"aten::baddbmm", added_product},
                              {"aten::scaled_dot_product_attention", attention},
                              {"belfry::lstm", lstm},
                              {"belfry::gru", gru}};

constexpr Rule kOthers[] = {{"belfry::max_pool2d", pool},
                            {"belfry::avg_pool2d", pool},
                            {"belfry::batch_norm", each_result<2>},
                            {"aten::layer_norm", each_result<7>},  // mean 1, variance 3, and 3 to apply them
                            {"belfry::group_norm", each_result<7>},
                            {"belfry::l2_normalize", each_result<3>},
                            {"aten::softmax", each_result<kSoftmax>},
                            {"aten::log_softmax", each_result<kSoftmax>},
                            {"aten::sum", each_input},
                            {"aten::mean", each_input},
                            {"aten::amax", each_input},
                            {"aten::amin", each_input},
                            {"belfry::prod", each_input},
                            {"belfry::bias_add", each_result<1>},
                            {"belfry::prelu", each_result<1>},
                            {"belfry::softsign", each_result<1>},
                            {"belfry::squared_difference", each_result<1>},
                            {"belfry::add_n", sum_of_tensors}};

template <size_t count>
const Rule* find_rule(const Rule (&rules)[count], const Node& node) {
  const std::string name = node.op_name();
  const std::string_view without_overload = std::string_view(name).substr(0, name.find('.'));
  const auto rule =
      std::find_if(rules, rules + count, [&](const Rule& rule) { return rule.op == without_overload; });
  return rule == rules + count ? nullptr : rule;
}

}  // namespace

bool is_product(const Node& node) {
  return find_rule(kProducts, node) != nullptr;
}

int64_t flops_of(const Node& node) {
  if (node.outputs().empty() || results(node) == 0) return 0;
  if (const Rule* rule = find_rule(kProducts, node)) return rule->flops(node);
  if (const Rule* rule = find_rule(kOthers, node)) return rule->flops(node);
  return node.op().hasTag(at::Tag::pointwise) ? results(node) : 0;
}

}  // namespace belfry::cli
