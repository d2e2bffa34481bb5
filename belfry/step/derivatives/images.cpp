#include "belfry/inference/internal/fused_op.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of convolutions, pooling and other operators of images, most by an operator of Belfry that
// programs run as one primitive.

namespace belfry::internal {
namespace {

/// The arguments that say how windows lie.
Attributes windows_of(const Node& node) {
  return OpParts(node).attributes;
}

Attributes plus(Attributes attributes, const char* name, Attribute value) {
  attributes.emplace_back(name, std::move(value));
  return attributes;
}

Tensor sum_by_channel(const Tensor& g, const std::string& data_format) {
  const int64_t channels = data_format == "NHWC" ? g.rank() - 1 : 1;
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < g.rank(); ++axis) {
    if (axis != channels) axes.push_back(axis);
  }
  return call("aten::sum.dim_IntList", {g}, {{"dim", axes}});
}

bool conv2d(Backprop& b) {
  const Tensor x = b.input("input"), filter = b.input("filter"), g = b.gradient();
  const Attributes attributes = windows_of(b.node());
  if (b.wants("input")) {
    b.give("input",
           call("belfry::conv2d_backprop_input", {g, filter}, plus(attributes, "input_size", x.shape())));
  }
  const auto by_parameters =
      call_multi("belfry::conv2d_backprop_filter", {g, x}, plus(attributes, "filter_size", filter.shape()));
  b.give("filter", by_parameters[0]);
  b.give("bias", by_parameters[1]);
  return true;
}

bool depthwise_conv2d(Backprop& b) {
  const Tensor x = b.input("input"), filter = b.input("filter"), g = b.gradient();
  const Shape grouped = {filter.dim(0), filter.dim(1), 1, filter.dim(2) * filter.dim(3)};
  const Attributes attributes = plus(windows_of(b.node()), "groups", filter.dim(2));
  if (b.wants("input")) {
    b.give("input", call("belfry::conv2d_backprop_input", {g, reshape(filter, grouped)},
                         plus(attributes, "input_size", x.shape())));
  }
  const auto by_parameters =
      call_multi("belfry::conv2d_backprop_filter", {g, x}, plus(attributes, "filter_size", grouped));
  b.give("filter", reshape(by_parameters[0], filter.shape()));
  return true;
}

/// A transposed convolution is the derivative of a convolution by its input; so its derivatives are that
/// convolution, and the one by the filter with image and gradient exchanged.
bool conv2d_transpose(Backprop& b) {
  const Tensor x = b.input("input"), filter = b.input("filter"), g = b.gradient();
  const Attributes attributes = windows_of(b.node());
  b.give("input", call("belfry::conv2d", {g, filter}, attributes));
  b.give("filter", call_multi("belfry::conv2d_backprop_filter", {x, g},
                              plus(attributes, "filter_size", filter.shape()))[0]);
  if (b.input("bias").defined()) b.give("bias", sum_by_channel(g, b.attribute("data_format").toStringRef()));
  return true;
}

bool bias_add(Backprop& b) {
  b.give("x", b.gradient());
  b.give("bias", sum_by_channel(b.gradient(), b.attribute("data_format").toStringRef()));
  return true;
}

std::vector<Tensor> max_pool2d_form(const Node& node, const std::vector<Tensor>& inputs) {
  return {call_multi("belfry::max_pool2d_with_indices", inputs, windows_of(node), node.name())[0]};
}

bool max_pool2d(Backprop& b) {
  const Tensor x = b.input("input");
  b.give("input", call("belfry::max_pool2d_backprop", {b.gradient(), b.output(1)},
                       plus(windows_of(b.node()), "input_size", x.shape())));
  return true;
}

bool avg_pool2d(Backprop& b) {
  const Tensor x = b.input("input");
  b.give("input", call("belfry::avg_pool2d_backprop", {b.gradient()},
                       plus(windows_of(b.node()), "input_size", x.shape())));
  return true;
}

bool resize(Backprop& b) {
  b.give("input", call("belfry::resize_backprop", {b.gradient()},
                       {{"input_size", b.input("input").shape()},
                        {"method", b.attribute("method").toStringRef()},
                        {"align_corners", b.attribute("align_corners").toBool()},
                        {"data_format", b.attribute("data_format").toStringRef()},
                        {"half_pixel_centers", b.attribute("half_pixel_centers").toBool()}}));
  return true;
}

bool crop_and_resize(Backprop& b) {
  b.give("image",
         call("belfry::crop_and_resize_backprop", {b.gradient(), b.input("boxes"), b.input("box_indices")},
              {{"image_size", b.input("image").shape()},
               {"size", b.integers("size")},
               {"method", b.attribute("method").toStringRef()}}));
  return true;
}

bool space_to_depth(Backprop& b) {
  b.give("x", belfry::depth_to_space(b.gradient(), b.attribute("block").toInt(),
                                     b.attribute("data_format").toStringRef()));
  return true;
}

bool depth_to_space(Backprop& b) {
  b.give("x", belfry::space_to_depth(b.gradient(), b.attribute("block").toInt(),
                                     b.attribute("data_format").toStringRef()));
  return true;
}

}  // namespace

void add_image_derivatives(DerivativeRules& rules) {
  rules["belfry::conv2d"] = conv2d;
  rules["belfry::depthwise_conv2d"] = depthwise_conv2d;
  rules["belfry::conv2d_transpose"] = conv2d_transpose;
  rules["belfry::bias_add"] = bias_add;
  rules["belfry::max_pool2d"].form = max_pool2d_form;
  rules["belfry::max_pool2d_with_indices"] = max_pool2d;
  rules["belfry::avg_pool2d"] = avg_pool2d;
  rules["belfry::resize"] = resize;
  rules["belfry::crop_and_resize"] = crop_and_resize;
  rules["belfry::space_to_depth"] = space_to_depth;
  rules["belfry::depth_to_space"] = depth_to_space;
}

}  // namespace belfry::internal
