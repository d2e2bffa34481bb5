#include <algorithm>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {
namespace {

using dnnl::memory;
using Dims = memory::dims;

/// Windows over height and width; `before` and `after`: padding, which an average does not count.
struct Windows {
  Dims kernel, strides, before, after;
};

bool lower_pooling(ProgramBuilder& builder, const Node& node, dnnl::algorithm algorithm,
                   const Windows& windows) {
  // oneDNN adds one value after the other: of a million equal ones it loses 1 %.
  constexpr int64_t kMostSummed = 256;
  if (algorithm != dnnl::algorithm::pooling_max && windows.kernel[0] * windows.kernel[1] > kMostSummed)
    return false;
  const TensorView input = builder.dense(node.inputs()[0]);
  const Dims sizes = image_desc(input).dims();
  Dims out = {sizes[0], sizes[1]};
  for (size_t i = 0; i < 2; ++i) {
    out.push_back(
        (sizes[i + 2] + windows.before[i] + windows.after[i] - windows.kernel[i]) / windows.strides[i] + 1);
  }
  const memory::desc output_desc(out, *data_type(input.type()), memory::format_tag::nhwc);
  const dnnl::pooling_v2_forward::desc desc(dnnl::prop_kind::forward_inference, algorithm, image_desc(input),
                                            output_desc, windows.strides, windows.kernel, {0, 0},
                                            windows.before, windows.after);
  const dnnl::pooling_v2_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::pooling_v2_forward>(description);
  const TensorView output = builder.make_output(node.output());
  primitive->add(DNNL_ARG_SRC, image_desc(input), input);
  primitive->add(DNNL_ARG_DST, output_desc, output);
  return emit_output(builder, node, std::move(primitive), output);
}

Windows windows_of(const OpParts& op, const Shape& in, const Shape& out) {
  Windows windows{.kernel = op.get<std::vector<int64_t>>("kernel"),
                  .strides = op.get<std::vector<int64_t>>("strides")};
  for (size_t i = 0; i < 2; ++i) {
    const Padding padding = padding_of(op, in[i + 1], windows.kernel[i], windows.strides[i], out[i + 1]);
    windows.before.push_back(padding.before);
    windows.after.push_back(padding.after);
  }
  return windows;
}

template <dnnl::algorithm algorithm>
bool lower_pool2d(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  if (op.get<std::string>("data_format") != "NHWC" || !supported({builder.value(op.inputs[0])})) return false;
  return lower_pooling(builder, node, algorithm,
                       windows_of(op, op.inputs[0].shape(), node.outputs()[0].shape));
}

bool lower_avg_pool_backprop(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const Tensor& gradient = op.inputs[0];
  if (op.get<std::string>("data_format") != "NHWC" || !supported({builder.value(gradient)})) return false;
  constexpr auto kAverage = dnnl::algorithm::pooling_avg_exclude_padding;
  const Windows windows = windows_of(op, node.outputs()[0].shape, gradient.shape());
  const TensorView dy = builder.dense(gradient);
  const memory::desc dy_desc = image_desc(dy), dx_desc = image_desc(node.outputs()[0]);
  const dnnl::pooling_v2_forward::primitive_desc forward(
      dnnl::pooling_v2_forward::desc(dnnl::prop_kind::forward_training, kAverage, dx_desc, dy_desc,
                                     windows.strides, windows.kernel, {0, 0}, windows.before, windows.after),
      cpu_engine());
  const dnnl::pooling_v2_backward::primitive_desc description(
      dnnl::pooling_v2_backward::desc(kAverage, dx_desc, dy_desc, windows.strides, windows.kernel, {0, 0},
                                      windows.before, windows.after),
      attributes({}), cpu_engine(), forward);
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::pooling_v2_backward>(description);
  const TensorView dx = builder.make_output(node.output());
  primitive->add(DNNL_ARG_DIFF_DST, dy_desc, dy);
  primitive->add(DNNL_ARG_DIFF_SRC, dx_desc, dx);
  return emit_output(builder, node, std::move(primitive), dx);
}

/// The mean of small images is a pooling with one window, which is several times faster.
bool lower_mean(ProgramBuilder& builder, const Node& node) {
  const Tensor x = node.inputs()[0];
  const c10::IValue dims = node.attribute("dim");
  if (x.rank() != 4 || !dims.isIntList() || x.dtype() != node.outputs()[0].dtype ||
      !supported({builder.value(x)}))
    return false;
  std::vector<int64_t> axes = dims.toIntVector();
  for (int64_t& axis : axes) axis = axis < 0 ? axis + 4 : axis;
  std::sort(axes.begin(), axes.end());
  if (axes != std::vector<int64_t>{1, 2}) return false;
  return lower_pooling(
      builder, node, dnnl::algorithm::pooling_avg_exclude_padding,
      {.kernel = {x.dim(1), x.dim(2)}, .strides = {1, 1}, .before = {0, 0}, .after = {0, 0}});
}

}  // namespace

void add_pooling_lowerings(Lowerings& table) {
  table["belfry::max_pool2d"].push_back(lower_pool2d<dnnl::algorithm::pooling_max>);
  table["belfry::avg_pool2d"].push_back(lower_pool2d<dnnl::algorithm::pooling_avg_exclude_padding>);
  table["belfry::avg_pool2d_backprop"].push_back(lower_avg_pool_backprop);
  table["aten::mean.dim"].push_back(lower_mean);
}

}  // namespace belfry::internal
