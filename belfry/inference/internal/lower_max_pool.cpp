#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/max_pool.h"

// Max pooling of training by kernels of our own. The places of the largest values are bytes here and not the
// int64 of the operator, so both directions are lowered, or neither.

namespace belfry::internal {
namespace {

std::optional<PoolWindows> windows_of(const Node& node, const Shape& image, const Shape& result) {
  const OpParts op(node);
  const auto kernel = op.get<std::vector<int64_t>>("kernel"),
             strides = op.get<std::vector<int64_t>>("strides");
  if (op.get<std::string>("data_format") != "NHWC" ||
      (node.outputs()[0].dtype != kFloat32 && node.outputs()[0].dtype != kBFloat16) ||
      kernel[0] * kernel[1] > 256 || c10::multiply_integers(result) == 0)
    return std::nullopt;
  const auto before = [&](size_t i) {
    return padding_of(op, image[i + 1], kernel[i], strides[i], result[i + 1]).before;
  };
  return PoolWindows{.batch = image[0],
                     .height = image[1],
                     .width = image[2],
                     .channels = image[3],
                     .out_height = result[1],
                     .out_width = result[2],
                     .kernel_height = kernel[0],
                     .kernel_width = kernel[1],
                     .stride_height = strides[0],
                     .stride_width = strides[1],
                     .top = before(0),
                     .left = before(1)};
}

bool lower_max_pool(ProgramBuilder& builder, const Node& node) {
  const Tensor image = node.inputs()[0];
  const auto windows = windows_of(node, image.shape(), node.outputs()[0].shape);
  if (!windows) return false;
  const TensorView x = builder.dense(image), y = builder.make_output(node.output(0));
  const TensorView places = builder.make(node.outputs()[0].shape, kUInt8);
  builder.emit(node, make_max_pool(*windows, x, y, places), {x}, {y, places});
  builder.define(node, {y, places});
  return true;
}

bool lower_max_pool_backprop(ProgramBuilder& builder, const Node& node) {
  const Tensor gradient = input_named(node, "gradient");
  const TensorView places = builder.value(input_named(node, "indices"));
  const auto windows = windows_of(node, node.outputs()[0].shape, gradient.shape());
  if (!windows || places.type() != ElementType::kUInt8) return false;
  const TensorView dy = builder.dense(gradient), dx = builder.make_output(node.output());
  builder.emit(node, make_max_pool_backward(*windows, dy, places, dx), {dy, places}, {dx});
  builder.define(node.output(), dx);
  return true;
}

}  // namespace

void add_max_pool_lowerings(Lowerings& table) {
  table["belfry::max_pool2d_with_indices"].push_back(lower_max_pool);
  table["belfry::max_pool2d_backprop"].push_back(lower_max_pool_backprop);
}

}  // namespace belfry::internal
