#include <ATen/ops/full.h>

#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/copy.h"

namespace belfry::internal {
namespace {

/// Zeros or another number around a tensor, without the copy that ATen's way of making a new one needs.
bool lower_pad(ProgramBuilder& builder, const Node& node) {
  if (node.attribute("mode").toStringRef() != "constant") return false;
  const auto pads = node.attribute("paddings").toIntVector();
  const TensorView x = builder.value(node.inputs()[0]), y = builder.make_output(node.output());
  TensorView inside = y;
  for (int64_t i = 0; i < x.dim(); ++i)
    inside = inside.narrow(i, pads[static_cast<size_t>(2 * i)], x.size(i));
  const TensorView value = view_of(at::full({}, node.attribute("value").toDouble(), dtype_of(y.type())));
  builder.emit(node, std::make_unique<Pad>(x, inside, y, value), {x}, {y});
  builder.define(node.output(), y);
  return true;
}

}  // namespace

void add_pad_lowerings(Lowerings& table) {
  table["belfry::pad"].push_back(lower_pad);
}

}  // namespace belfry::internal
