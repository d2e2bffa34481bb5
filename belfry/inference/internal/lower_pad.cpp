#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {
namespace {

/// Zeros or another number around a tensor, without the copy that ATen's way of making a new one needs.
class PadInstruction : public Instruction {
 public:
  PadInstruction(at::Tensor x, at::Tensor y, at::Tensor inside, double value)
      : x_(std::move(x)), y_(std::move(y)), inside_(std::move(inside)), value_(value) {}
  void run() override {
    y_.fill_(value_);
    inside_.copy_(x_);
  }
  std::string describe() const override { return "pad"; }

 private:
  at::Tensor x_, y_, inside_;
  double value_;
};

bool lower_pad(ProgramBuilder& builder, const Node& node) {
  if (node.attribute("mode").toStringRef() != "constant") return false;
  const auto pads = node.attribute("paddings").toIntVector();
  const at::Tensor x = builder.value(node.inputs()[0]), y = builder.make_output(node.output());
  at::Tensor inside = y;
  for (int64_t i = 0; i < x.dim(); ++i)
    inside = inside.narrow(i, pads[static_cast<size_t>(2 * i)], x.size(i));
  builder.emit(node, std::make_unique<PadInstruction>(x, y, inside, node.attribute("value").toDouble()), {x},
               {y});
  builder.define(node.output(), y);
  return true;
}

}  // namespace

void add_pad_lowerings(Lowerings& table) {
  table["belfry::pad"].push_back(lower_pad);
}

}  // namespace belfry::internal
