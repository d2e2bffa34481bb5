#include "belfry/ops/nn.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/internal/known_integers.h"
#include "belfry/ops/state.h"

// One call for each operator, which checks its arguments where the node is built, computes and has the
// gradient; what stands here is how the arguments of a typed function become the operator's.
namespace belfry {
namespace {

std::vector<int64_t> list(const Size2D& size) {
  return {size.height, size.width};
}

Attributes attributes_of(const ResizeAttributes& attributes) {
  const char* method = attributes.method == ResizeMethod::kNearest    ? "nearest"
                       : attributes.method == ResizeMethod::kBilinear ? "bilinear"
                                                                      : "bicubic";
  return {{"method", method},
          {"align_corners", attributes.align_corners},
          {"data_format", attributes.data_format},
          {"half_pixel_centers", attributes.half_pixel_centers}};
}

}  // namespace

Tensor relu(const Tensor& x, const std::string& name) {
  return call("aten::relu", {x}, {}, name);
}
Tensor relu6(const Tensor& x, const std::string& name) {
  return call("aten::relu6", {x}, {}, name);
}
Tensor sigmoid(const Tensor& x, const std::string& name) {
  return call("aten::sigmoid", {x}, {}, name);
}
Tensor tanh(const Tensor& x, const std::string& name) {
  return call("aten::tanh", {x}, {}, name);
}
Tensor gelu(const Tensor& x, const std::string& name) {
  return call("aten::gelu", {x}, {}, name);
}
Tensor gelu_tanh(const Tensor& x, const std::string& name) {
  return call("aten::gelu", {x}, {{"approximate", "tanh"}}, name);
}
Tensor silu(const Tensor& x, const std::string& name) {
  return call("aten::silu", {x}, {}, name);
}
Tensor elu(const Tensor& x, const std::string& name) {
  return call("aten::elu", {x}, {}, name);
}
Tensor selu(const Tensor& x, const std::string& name) {
  return call("aten::selu", {x}, {}, name);
}
Tensor hardswish(const Tensor& x, const std::string& name) {
  return call("aten::hardswish", {x}, {}, name);
}
Tensor softplus(const Tensor& x, const std::string& name) {
  return call("aten::softplus", {x}, {}, name);
}
Tensor softsign(const Tensor& x, const std::string& name) {
  return call("belfry::softsign", {x}, {}, name);
}
Tensor log_sigmoid(const Tensor& x, const std::string& name) {
  return call("aten::log_sigmoid", {x}, {}, name);
}
Tensor leaky_relu(const Tensor& x, double alpha, const std::string& name) {
  return call("aten::leaky_relu", {x}, {{"negative_slope", alpha}}, name);
}
Tensor prelu(const Tensor& x, const Tensor& alpha, const std::string& name) {
  return call("belfry::prelu", {x, alpha}, {}, name);
}

Tensor softmax(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::softmax.int", {x}, {{"dim", axis}}, name);
}
Tensor log_softmax(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::log_softmax.int", {x}, {{"dim", axis}}, name);
}
Tensor l2_normalize(const Tensor& x, int64_t axis, double epsilon, const std::string& name) {
  return call("belfry::l2_normalize", {x}, {{"axis", axis}, {"epsilon", epsilon}}, name);
}

Tensor conv2d(const Tensor& input, const Tensor& filter, const ConvAttributes& attributes,
              const std::string& name) {
  return conv2d(input, filter, Tensor(), attributes, name);
}
Tensor conv2d(const Tensor& input, const Tensor& filter, const Tensor& bias, const ConvAttributes& attributes,
              const std::string& name) {
  return call("belfry::conv2d", {input, filter, bias},
              {{"strides", list(attributes.strides)},
               {"padding", attributes.padding},
               {"dilations", list(attributes.dilations)},
               {"groups", attributes.groups},
               {"data_format", attributes.data_format}},
              name);
}
Tensor depthwise_conv2d(const Tensor& input, const Tensor& filter, const ConvAttributes& attributes,
                        const std::string& name) {
  if (attributes.groups != 1) {
    throw UsageError(
        fmt::format("[depthwise_conv2d {}] expected groups of 1, as each channel is a group, got {}", name,
                    attributes.groups));
  }
  return call("belfry::depthwise_conv2d", {input, filter},
              {{"strides", list(attributes.strides)},
               {"padding", attributes.padding},
               {"dilations", list(attributes.dilations)},
               {"data_format", attributes.data_format}},
              name);
}
Tensor separable_conv2d(const Tensor& input, const Tensor& depthwise_filter, const Tensor& pointwise_filter,
                        const ConvAttributes& attributes, const std::string& name) {
  const std::string node_name = name.empty() ? "separable_conv2d" : name;
  const Tensor depthwise = depthwise_conv2d(input, depthwise_filter, attributes, node_name + "/depthwise");
  return conv2d(depthwise, pointwise_filter, {.data_format = attributes.data_format}, node_name);
}
Tensor conv1d(const Tensor& input, const Tensor& filter, const Conv1DAttributes& attributes,
              const std::string& name) {
  const std::string node_name = name.empty() ? "conv1d" : name;
  const Tensor row = expand_dims(input, 1, node_name + "/row");
  const Tensor y = conv2d(row, expand_dims(filter, 0, node_name + "/filter"),
                          {.strides = {1, attributes.stride},
                           .padding = attributes.padding,
                           .dilations = {1, attributes.dilation}},
                          node_name + "/conv2d");
  return squeeze(y, {1}, node_name);
}
Tensor conv2d_transpose(const Tensor& input, const Tensor& filter, const ConvTransposeAttributes& attributes,
                        const std::string& name) {
  return conv2d_transpose(input, filter, Tensor(), attributes, name);
}
Tensor conv2d_transpose(const Tensor& input, const Tensor& filter, const Tensor& bias,
                        const ConvTransposeAttributes& attributes, const std::string& name) {
  return call("belfry::conv2d_transpose", {input, filter, bias},
              {{"strides", list(attributes.strides)},
               {"padding", attributes.padding},
               {"data_format", attributes.data_format}},
              name);
}

namespace {

Tensor pool2d(const char* op, const Tensor& x, const PoolAttributes& attributes, const std::string& name) {
  return call(op, {x},
              {{"kernel", list(attributes.pool)},
               {"strides", list(attributes.strides.value_or(attributes.pool))},
               {"padding", attributes.padding},
               {"data_format", attributes.data_format}},
              name);
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolAttributes& attributes, const std::string& name) {
  return pool2d("belfry::max_pool2d", x, attributes, name);
}
Tensor avg_pool2d(const Tensor& x, const PoolAttributes& attributes, const std::string& name) {
  return pool2d("belfry::avg_pool2d", x, attributes, name);
}

Tensor resize(const Tensor& x, Size2D size, const ResizeAttributes& attributes, const std::string& name) {
  Attributes all = attributes_of(attributes);
  all.emplace_back("size", list(size));
  return call("belfry::resize", {x}, all, name);
}
Tensor resize(const Tensor& x, const Tensor& size, const ResizeAttributes& attributes,
              const std::string& name) {
  if (size.shape() == Shape{kDynamic}) return resize(x, reshape(size, Shape{2}), attributes, name);
  const auto sizes = internal::constant_integers(size);
  if (sizes && size.shape() == Shape{2}) return resize(x, {sizes->at(0), sizes->at(1)}, attributes, name);
  Attributes all = attributes_of(attributes);
  all.emplace_back("known_size", internal::known_integers(size).value_or(std::vector<int64_t>()));
  return call("belfry::resize.tensor", {x, size}, all, name);
}

Tensor space_to_depth(const Tensor& x, int64_t block, const std::string& data_format,
                      const std::string& name) {
  return call("belfry::space_to_depth", {x}, {{"block", block}, {"data_format", data_format}}, name);
}
Tensor depth_to_space(const Tensor& x, int64_t block, const std::string& data_format,
                      const std::string& name) {
  return call("belfry::depth_to_space", {x}, {{"block", block}, {"data_format", data_format}}, name);
}

Tensor bias_add(const Tensor& x, const Tensor& bias, const std::string& data_format,
                const std::string& name) {
  return call("belfry::bias_add", {x, bias}, {{"data_format", data_format}}, name);
}

BatchNormOutputs batch_norm_training(const Tensor& x, const Tensor& scale, const Tensor& offset,
                                     const BatchNormAttributes& attributes, const std::string& name) {
  const auto outputs = call_multi("belfry::batch_norm_training", {x, scale, offset},
                                  {{"epsilon", attributes.epsilon},
                                   {"unbiased_variance", attributes.unbiased_variance},
                                   {"data_format", attributes.data_format}},
                                  name);
  return {outputs[0], outputs[1], outputs[2]};
}
Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& scale,
                  const Tensor& offset, const BatchNormAttributes& attributes, const std::string& name) {
  return call("belfry::batch_norm", {x, mean, variance, scale, offset},
              {{"epsilon", attributes.epsilon}, {"data_format", attributes.data_format}}, name);
}

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, double epsilon,
                  const std::string& name) {
  const Tensor& parameter = scale.defined() ? scale : offset;
  Shape normalized = parameter.defined() ? parameter.shape() : Shape{kDynamic};
  const auto count = static_cast<int64_t>(normalized.size());
  for (int64_t i = 0; i < count && count <= x.rank(); ++i) {
    int64_t& size = normalized[static_cast<size_t>(i)];
    if (size == kDynamic && scale.defined() && offset.defined() && offset.rank() == count)
      size = offset.dim(i);
    if (size == kDynamic) size = x.dim(i - count);
    if (size == kDynamic) {
      throw UsageError(
          fmt::format("[layer_norm {}] expected known sizes to normalise over, got {} with the scale {} and "
                      "the offset {}",
                      name, describe(x), describe(scale), describe(offset)));
    }
  }
  return call("aten::layer_norm", {x, scale, offset}, {{"normalized_shape", normalized}, {"eps", epsilon}},
              name);
}
Tensor group_norm(const Tensor& x, const Tensor& scale, const Tensor& offset,
                  const GroupNormAttributes& attributes, const std::string& name) {
  return call("belfry::group_norm", {x, scale, offset},
              {{"groups", attributes.groups},
               {"epsilon", attributes.epsilon},
               {"data_format", attributes.data_format}},
              name);
}

Tensor local_response_normalization(const Tensor& x, const LocalResponseAttributes& attributes,
                                    const std::string& name) {
  return call("belfry::local_response_normalization", {x},
              {{"depth_radius", attributes.depth_radius},
               {"bias", attributes.bias},
               {"alpha", attributes.alpha},
               {"beta", attributes.beta}},
              name);
}

Tensor dropout(const Tensor& x, double rate, const DropoutAttributes& attributes, const std::string& name) {
  if (rate == 0) return identity(x, name.empty() ? "dropout" : name);
  std::optional<SeedScope> seed;
  if (attributes.seed)
    seed.emplace(static_cast<uint64_t>(*attributes.seed), SeedScope::Options{.exact = true});
  return call("belfry::dropout", {x}, {{"rate", rate}, {"noise_shape", attributes.noise_shape}}, name);
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionAttributes& attributes, const std::string& name) {
  return call("aten::scaled_dot_product_attention", {query, key, value, attributes.mask},
              {{"is_causal", attributes.is_causal},
               {"scale", attributes.scale ? Attribute(*attributes.scale) : Attribute()}},
              name);
}

Tensor in_top_k(const Tensor& predictions, const Tensor& labels, int64_t k, const std::string& name) {
  return call("belfry::in_top_k", {predictions, labels}, {{"k", k}}, name);
}
Tensor not_in_top_k(const Tensor& predictions, const Tensor& labels, int64_t k, const std::string& name) {
  return call("belfry::not_in_top_k", {predictions, labels}, {{"k", k}}, name);
}
Tensor in_top_k(const Tensor& predictions, const Tensor& labels, const Tensor& k, const std::string& name) {
  return call("belfry::in_top_k.tensor", {predictions, labels, k}, {}, name);
}
Tensor not_in_top_k(const Tensor& predictions, const Tensor& labels, const Tensor& k,
                    const std::string& name) {
  return call("belfry::not_in_top_k.tensor", {predictions, labels, k}, {}, name);
}

}  // namespace belfry
