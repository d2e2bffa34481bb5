#include "tests/differential/driver/operators.h"

#define UNARY DIFFERENTIAL_UNARY
#define BINARY DIFFERENTIAL_BINARY
#define ROW DIFFERENTIAL_ROW

namespace belfry::differential {
namespace {

ConvAttributes conv(const Json& a) {
  ConvAttributes conv;
  read(a, "strides", conv.strides);
  read(a, "padding", conv.padding);
  read(a, "dilations", conv.dilations);
  read(a, "groups", conv.groups);
  read(a, "data_format", conv.data_format);
  return conv;
}

ConvTransposeAttributes conv_transpose(const Json& a) {
  ConvTransposeAttributes conv;
  read(a, "strides", conv.strides);
  read(a, "padding", conv.padding);
  read(a, "data_format", conv.data_format);
  return conv;
}

PoolAttributes pool(const Json& a) {
  PoolAttributes pool;
  read(a, "pool", pool.pool);
  if (a.contains("strides")) pool.strides = size_of(a["strides"]);
  read(a, "padding", pool.padding);
  read(a, "data_format", pool.data_format);
  return pool;
}

std::string data_format(const Json& a) {
  return a.value("data_format", "NHWC");
}

ResizeAttributes resizing(const Json& a) {
  return {.method = a["method"] == "nearest" ? ResizeMethod::kNearest : ResizeMethod::kBilinear,
          .align_corners = a["align_corners"].get<bool>(),
          .data_format = data_format(a)};
}

// The optional scale and offset, which follow `first` other inputs.
struct Affine {
  Affine(const Tensors& x, const Json& a, size_t first) {
    if (a["scale"].get<bool>()) scale = x[first++];
    if (a["offset"].get<bool>()) offset = x[first];
  }
  Tensor scale, offset;
};

Tensors batch_norm_of_training(const Tensors& x, const Json& a) {
  Affine affine(x, a, 1);
  auto results = batch_norm_training(x[0], affine.scale, affine.offset,
                                     {.epsilon = number_of(a["epsilon"]),
                                      .data_format = data_format(a),
                                      .unbiased_variance = a["unbiased"].get<bool>()});
  return {results.y, results.mean, results.variance};
}

Tensor batch_norm_of_inference(const Tensors& x, const Json& a) {
  Affine affine(x, a, 3);
  return batch_norm(x[0], x[1], x[2], affine.scale, affine.offset,
                    {.epsilon = number_of(a["epsilon"]), .data_format = data_format(a)});
}

Tensor layer_normalized(const Tensors& x, const Json& a) {
  Affine affine(x, a, 1);
  return layer_norm(x[0], affine.scale, affine.offset, number_of(a["epsilon"]));
}

Tensor group_normalized(const Tensors& x, const Json& a) {
  Affine affine(x, a, 1);
  return group_norm(x[0], affine.scale, affine.offset,
                    {.groups = a["groups"].get<int64_t>(),
                     .epsilon = number_of(a["epsilon"]),
                     .data_format = data_format(a)});
}

Tensor attention(const Tensors& x, const Json& a) {
  AttentionAttributes attributes;
  if (x.size() > 3) attributes.mask = x[3];
  attributes.is_causal = a["causal"].get<bool>();
  if (a.contains("scale")) attributes.scale = number_of(a["scale"]);
  return scaled_dot_product_attention(x[0], x[1], x[2], attributes);
}

}  // namespace

Operators nn_operators() {
  return {
      UNARY(relu),
      UNARY(relu6),
      UNARY(sigmoid),
      UNARY(tanh),
      UNARY(gelu),
      UNARY(gelu_tanh),
      UNARY(silu),
      UNARY(elu),
      UNARY(selu),
      UNARY(hardswish),
      UNARY(softplus),
      UNARY(softsign),
      UNARY(log_sigmoid),
      BINARY(prelu),
      ROW("leaky_relu", {leaky_relu(x[0], number_of(a["alpha"]))}),
      ROW("softmax", {softmax(x[0], axis_of(a))}),
      ROW("log_softmax", {log_softmax(x[0], axis_of(a))}),
      ROW("l2_normalize", {l2_normalize(x[0], axis_of(a), number_of(a["epsilon"]))}),
      ROW("conv2d", {x.size() > 2 ? conv2d(x[0], x[1], x[2], conv(a)) : conv2d(x[0], x[1], conv(a))}),
      ROW("depthwise_conv2d", {depthwise_conv2d(x[0], x[1], conv(a))}),
      ROW("separable_conv2d", {separable_conv2d(x[0], x[1], x[2], conv(a))}),
      ROW("conv1d", {conv1d(x[0], x[1],
                            {a["stride"].get<int64_t>(), a["padding"].get<std::string>(),
                             a["dilation"].get<int64_t>()})}),
      ROW("conv2d_transpose", {x.size() > 2 ? conv2d_transpose(x[0], x[1], x[2], conv_transpose(a))
                                            : conv2d_transpose(x[0], x[1], conv_transpose(a))}),
      ROW("max_pool2d", {max_pool2d(x[0], pool(a))}),
      ROW("avg_pool2d", {avg_pool2d(x[0], pool(a))}),
      ROW("resize", {resize(x[0], size_of(a["size"]), resizing(a))}),
      ROW("resize_to_tensor", {resize(x[0], x[1], resizing(a))}),
      ROW("space_to_depth", {space_to_depth(x[0], a["block"].get<int64_t>(), data_format(a))}),
      ROW("depth_to_space", {depth_to_space(x[0], a["block"].get<int64_t>(), data_format(a))}),
      ROW("bias_add", {bias_add(x[0], x[1], data_format(a))}),
      ROW("batch_norm_training", batch_norm_of_training(x, a)),
      ROW("batch_norm", {batch_norm_of_inference(x, a)}),
      ROW("layer_norm", {layer_normalized(x, a)}),
      ROW("group_norm", {group_normalized(x, a)}),
      ROW("local_response_normalization",
          {local_response_normalization(x[0], {a["radius"].get<int64_t>(), number_of(a["bias"]),
                                               number_of(a["alpha"]), number_of(a["beta"])})}),
      ROW("attention", {attention(x, a)}),
      ROW("in_top_k", {in_top_k(x[0], x[1], a["k"].get<int64_t>())}),
      ROW("not_in_top_k", {not_in_top_k(x[0], x[1], a["k"].get<int64_t>())}),
      BINARY(sparse_softmax_cross_entropy),
      BINARY(softmax_cross_entropy),
      BINARY(sigmoid_cross_entropy),
      ROW("weighted_cross_entropy_with_logits",
          {weighted_cross_entropy_with_logits(x[0], x[1], number_of(a["positive_weight"]))}),
      BINARY(mean_squared_error),
      BINARY(absolute_difference),
      UNARY(l2_loss),
      ROW("psnr", {psnr(x[0], x[1], number_of(a["max"]))}),
      ROW("huber_loss", {huber_loss(x[0], x[1], number_of(a["delta"]))}),
  };
}

}  // namespace belfry::differential
