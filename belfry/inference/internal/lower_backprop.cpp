// The derivatives of convolutions and products as oneDNN's primitives. Weights are packed as each of them
// wants, anew when the variables have changed; their gradients come out packed too, and are unpacked to the
// order in which layers keep their filters.

#include <ATen/ops/ones.h>

#include <limits>
#include <utility>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/scale_shift.h"

namespace belfry::internal {
namespace {

using dnnl::memory;
using Dims = memory::dims;

/// Where images are bfloat16, so are the weights that are packed for them; gradients of weights stay float32.
memory::desc any_weights(const memory::desc& desc, const TensorView& images) {
  return any_layout(desc, *data_type(images.type()));
}
memory::desc any_gradients(const memory::desc& desc) {
  return any_layout(desc, memory::data_type::f32);
}

bool is_float(const Tensor& tensor) {
  return tensor.dtype() == kFloat32 || tensor.dtype() == kBFloat16;
}

/// A convolution in oneDNN's words, of an NHWC image.
struct Convolution {
  Dims strides, dilations, before, after;
  int64_t groups;

  Convolution(const OpParts& op, const Shape& image, const Shape& filter, const Shape& result)
      : Convolution(op, image, filter, result, op.get<int64_t>("groups"),
                    op.get<std::vector<int64_t>>("dilations")) {}

  Convolution(const OpParts& op, const Shape& image, const Shape& filter, const Shape& result,
              int64_t its_groups, const std::vector<int64_t>& dilation)
      : groups(its_groups) {
    strides = op.get<std::vector<int64_t>>("strides");
    for (size_t i = 0; i < 2; ++i) {
      const int64_t extent = (filter[i] - 1) * dilation[i] + 1;
      const Padding padding = padding_of(op, image[i + 1], extent, strides[i], result[i + 1]);
      before.push_back(padding.before);
      after.push_back(padding.after);
      dilations.push_back(dilation[i] - 1);
    }
  }

  dnnl::convolution_forward::primitive_desc forward(const memory::desc& image, const memory::desc& filter,
                                                    const memory::desc& result) const {
    return {dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training,
                                            dnnl::algorithm::convolution_direct, image, filter, result,
                                            strides, dilations, before, after),
            cpu_engine()};
  }
};

/// Whether a primitive takes the gradient by the result of a convolution of NHWC images.
bool has_primitive_form(const OpParts& op, const Tensor& gradient) {
  return op.get<std::string>("data_format") == "NHWC" && is_float(gradient) &&
         c10::multiply_integers(gradient.shape()) > 0;
}

/// Appends the primitive that gives the gradient of `conv` by its image, from that by its result; undefined,
/// and nothing is done, where there is none.
TensorView emit_backward_data(ProgramBuilder& builder, const Node& node, const Convolution& conv,
                              const Tensor& gradient, const TensorView& weights) {
  const TensorView dy = builder.dense(gradient);
  const memory::desc dx_desc = image_desc(node.outputs()[0]), w_desc = filter_desc(weights, conv.groups);
  const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, dx_desc,
                                                   any_weights(w_desc, dy), image_desc(dy), conv.strides,
                                                   conv.dilations, conv.before, conv.after);
  const dnnl::convolution_backward_data::primitive_desc description(
      desc, attributes({}), cpu_engine(), conv.forward(dx_desc, any_weights(w_desc, dy), image_desc(dy)));
  if (!is_usable(description)) return {};
  auto primitive = make_primitive<dnnl::convolution_backward_data>(description);
  const TensorView dx = builder.make_output(node.output());
  primitive->add(DNNL_ARG_DIFF_DST, image_desc(dy), dy);
  primitive->add(DNNL_ARG_WEIGHTS, builder.prepared().packed(weights, w_desc, description.weights_desc()));
  primitive->add(DNNL_ARG_DIFF_SRC, dx_desc, dx);
  emit(builder, node, std::move(primitive), {dx});
  return dx;
}

bool lower_conv2d_backprop_input(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const Tensor &gradient = op.inputs[0], &filter = op.inputs[1];
  const TensorView weights = builder.weight_of(filter);
  if (!has_primitive_form(op, gradient) || !weights.defined() || !supported({weights})) return false;
  const Convolution conv(op, node.outputs()[0].shape, filter.shape(), gradient.shape());
  const TensorView dx = emit_backward_data(builder, node, conv, gradient, weights);
  if (dx.defined()) builder.define(node.output(), dx);
  return dx.defined();
}

/// The same: the result takes the place of the image. A bias is added where the result lies, in float32 also
/// to bfloat16.
bool lower_conv2d_transpose(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const Tensor input = input_named(node, "input"), filter = input_named(node, "filter");
  const TensorView weights = builder.weight_of(filter), bias = bias_of(builder, input_named(node, "bias"));
  if (!has_primitive_form(op, input) || !weights.defined() || !supported({weights})) return false;
  if (bias.defined() && (bias.type() != ElementType::kFloat32 || !bias.is_contiguous())) return false;
  const Convolution conv(op, node.outputs()[0].shape, filter.shape(), input.shape(), /*its_groups=*/1,
                         {1, 1});
  const TensorView y = emit_backward_data(builder, node, conv, input, weights);
  if (!y.defined()) return false;
  if (bias.defined()) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const TensorView ones = view_of(at::ones({bias.numel()}, at::kFloat));
    builder.emit(node,
                 make_scale_shift(
                     {.x = y, .scale = ones, .shift = bias, .y = y, .low = -kInfinity, .high = kInfinity}),
                 {y, bias}, {y});
  }
  builder.define(node.output(), y);
  return true;
}

/// Appends a reorder from `packed` to `plain`, described by `desc`.
void unpack(ProgramBuilder& builder, const Node& node, const TensorView& packed,
            const memory::desc& packed_desc, const TensorView& plain, const memory::desc& desc) {
  const dnnl::reorder::primitive_desc description(cpu_engine(), packed_desc, cpu_engine(), desc,
                                                  attributes({}));
  auto primitive = make_primitive<dnnl::reorder>(description);
  primitive->add(DNNL_ARG_FROM, packed_desc, packed);
  primitive->add(DNNL_ARG_TO, desc, plain);
  emit(builder, node, std::move(primitive), {plain});
}

/// A tensor and how the primitive sees it.
struct Operand {
  TensorView tensor;
  memory::desc desc;
};

/// The gradient by a bias; undefined where nobody wants it, which saves the primitive some work.
Operand make_bias(ProgramBuilder& builder, const Node& node, int64_t channels) {
  if (!builder.is_used(node.output(1))) return {};
  const TensorView bias = builder.make({channels}, kFloat32);
  return {bias, desc_of(bias)};
}

/// Appends the primitive that gives the gradients by weights and bias, the two outputs of `node`. Weights
/// come out packed where the primitive wants it.
template <typename Backward>
bool emit_weight_gradients(ProgramBuilder& builder, const Node& node,
                           const typename Backward::primitive_desc& description, const Operand& dy,
                           const Operand& x, const Operand& dw, const Operand& db) {
  if (!is_usable(description)) return false;
  const memory::desc packed_desc = description.diff_weights_desc();
  const bool is_packed = packed_desc != dw.desc;
  const TensorView written =
      is_packed ? builder.make({static_cast<int64_t>(packed_desc.get_size()) / 4}, kFloat32) : dw.tensor;
  auto primitive = make_primitive<Backward>(description);
  primitive->add(DNNL_ARG_DIFF_DST, dy.desc, dy.tensor);
  primitive->add(DNNL_ARG_SRC, x.desc, x.tensor);
  primitive->add(DNNL_ARG_DIFF_WEIGHTS, packed_desc, written);
  std::vector<TensorView> outputs = {written};
  if (db.tensor.defined()) {
    primitive->add(DNNL_ARG_DIFF_BIAS, db.desc, db.tensor);
    outputs.push_back(db.tensor);
    builder.define(node.output(1), db.tensor);
  }
  emit(builder, node, std::move(primitive), outputs);
  if (is_packed) unpack(builder, node, written, packed_desc, dw.tensor, dw.desc);
  builder.define(node.output(0), dw.tensor);
  return true;
}

/// Where layers keep filters: [height, width, in, out] that lies as [out, in, height, width].
TensorView make_filter(ProgramBuilder& builder, const Shape& s) {
  return builder.make({s[3], s[2], s[0], s[1]}, kFloat32)
      .as_strided(s, {s[1], 1, s[0] * s[1], s[0] * s[1] * s[2]}, 0);
}

bool lower_conv2d_backprop_filter(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const Tensor &gradient = op.inputs[0], &image = op.inputs[1];
  const Shape filter = op.get<std::vector<int64_t>>("filter_size");
  if (!has_primitive_form(op, gradient) || node.outputs()[0].dtype != kFloat32 ||
      image.dtype() != gradient.dtype() || c10::multiply_integers(image.shape()) == 0)
    return false;
  const Convolution conv(op, image.shape(), filter, gradient.shape());
  const TensorView dy = builder.dense(gradient), x = builder.dense(image);
  const TensorView filter_gradient = make_filter(builder, filter);
  const Operand dw{filter_gradient, filter_desc(filter_gradient, conv.groups)};
  const Operand db = make_bias(builder, node, filter[3]);
  const dnnl::convolution_backward_weights::desc desc(dnnl::algorithm::convolution_direct, image_desc(x),
                                                      any_gradients(dw.desc), db.desc, image_desc(dy),
                                                      conv.strides, conv.dilations, conv.before, conv.after);
  return emit_weight_gradients<dnnl::convolution_backward_weights>(
      builder, node,
      {desc, attributes({}), cpu_engine(),
       conv.forward(image_desc(x), any_weights(dw.desc, dy), image_desc(dy))},
      {dy, image_desc(dy)}, {x, image_desc(x)}, dw, db);
}

/// Appends the product of `dy` with the transposed weights, as that of a layer whose weights these are.
bool emit_product_with_transposed(ProgramBuilder& builder, const Node& node, const TensorView& dy,
                                  const TensorView& weights, const memory::desc& dx_desc) {
  const memory::desc w_desc = desc_of(weights);
  const dnnl::inner_product_forward::desc desc(dnnl::prop_kind::forward_inference, desc_of(dy),
                                               any_weights(w_desc, dy), dx_desc);
  const dnnl::inner_product_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::inner_product_forward>(description);
  const TensorView dx = builder.make_output(node.output());
  primitive->add(DNNL_ARG_SRC, desc_of(dy), dy);
  primitive->add(DNNL_ARG_WEIGHTS, builder.prepared().packed(weights, w_desc, description.weights_desc()));
  primitive->add(DNNL_ARG_DST, dx_desc, dx);
  return emit_output(builder, node, std::move(primitive), dx);
}

/// Forward products are faster than backward ones, 6 % at least and up to twice (oneDNN 2.6: 700 rows by
/// weights of 650 x 10000 26 and 42 ms, 20 rows by 650 x 2600 0.14 and 0.21), but take longer to pack
/// transposed weights for. So many rows in a step are worth it.
constexpr int64_t kRowsWorthPacking = 512;

bool lower_linear_backprop_input(ProgramBuilder& builder, const Node& node) {
  const Tensor &gradient = node.inputs()[0], &weight = node.inputs()[1];
  const TensorView weights = builder.weight_of(weight);
  if (!is_float(gradient) || !weights.defined() || !supported({builder.value(gradient), weights}))
    return false;
  const TensorView dy = builder.dense(gradient);
  const memory::desc dx_desc({gradient.dim(0), weight.dim(0)}, *data_type(dy.type()), memory::format_tag::ab),
      w_desc = desc_of(weights, {1, 0});
  if (gradient.dim(0) * builder.uses(weight) >= kRowsWorthPacking &&
      emit_product_with_transposed(builder, node, dy, weights, dx_desc))
    return true;
  const dnnl::inner_product_forward::primitive_desc forward(
      dnnl::inner_product_forward::desc(dnnl::prop_kind::forward_training, dx_desc, any_weights(w_desc, dy),
                                        desc_of(dy)),
      cpu_engine());
  const dnnl::inner_product_backward_data::desc desc(dx_desc, any_weights(w_desc, dy), desc_of(dy));
  const dnnl::inner_product_backward_data::primitive_desc description(desc, attributes({}), cpu_engine(),
                                                                      forward);
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::inner_product_backward_data>(description);
  const TensorView dx = builder.make_output(node.output());
  primitive->add(DNNL_ARG_DIFF_DST, desc_of(dy), dy);
  primitive->add(DNNL_ARG_WEIGHTS, builder.prepared().packed(weights, w_desc, description.weights_desc()));
  primitive->add(DNNL_ARG_DIFF_SRC, dx_desc, dx);
  return emit_output(builder, node, std::move(primitive), dx);
}

bool lower_linear_backprop_weight(ProgramBuilder& builder, const Node& node) {
  const Tensor &gradient = node.inputs()[0], &input = node.inputs()[1];
  if (!is_float(gradient) || node.outputs()[0].dtype != kFloat32 || input.dtype() != gradient.dtype() ||
      !supported({builder.value(gradient), builder.value(input)}))
    return false;
  const TensorView dy = builder.dense(gradient), x = builder.dense(input);
  const TensorView weight_gradient = builder.make({input.dim(1), gradient.dim(1)}, kFloat32);
  const Operand dw{weight_gradient, desc_of(weight_gradient, {1, 0})};
  const Operand db = make_bias(builder, node, gradient.dim(1));
  const dnnl::inner_product_forward::primitive_desc forward(
      dnnl::inner_product_forward::desc(dnnl::prop_kind::forward_training, desc_of(x),
                                        any_weights(dw.desc, dy), db.desc, desc_of(dy)),
      cpu_engine());
  const dnnl::inner_product_backward_weights::desc desc(desc_of(x), any_gradients(dw.desc), db.desc,
                                                        desc_of(dy));
  return emit_weight_gradients<dnnl::inner_product_backward_weights>(
      builder, node, {desc, attributes({}), cpu_engine(), forward}, {dy, desc_of(dy)}, {x, desc_of(x)}, dw,
      db);
}

}  // namespace

void add_backprop_lowerings(Lowerings& table) {
  table["belfry::conv2d_backprop_input"].push_back(lower_conv2d_backprop_input);
  table["belfry::conv2d_transpose"].push_back(lower_conv2d_transpose);
  table["belfry::conv2d_backprop_filter"].push_back(lower_conv2d_backprop_filter);
  table["belfry::linear_backprop_input"].push_back(lower_linear_backprop_input);
  table["belfry::linear_backprop_weight"].push_back(lower_linear_backprop_weight);
}

}  // namespace belfry::internal
