#include <ATen/ops/full.h>

#include <algorithm>

#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/arithmetic.h"

namespace belfry::internal {
namespace {

/// Sums, differences, products and quotients of two dense tensors, or of one and a number, which comes first
/// where they are `swapped`.
template <Arithmetic op, bool with_number, bool swapped = false>
bool lower_arithmetic(ProgramBuilder& builder, const Node& node) {
  constexpr bool scaled = op == Arithmetic::kAdd || op == Arithmetic::kSubtract;
  if (scaled && node.attribute("alpha").toScalar().toDouble() != 1) return false;
  const Tensor &x = node.inputs()[0], &other = with_number ? x : node.inputs()[1];
  const Shape& shape = node.outputs()[0].shape;
  if (x.dtype() != kFloat32 || other.dtype() != kFloat32 || node.outputs()[0].dtype != kFloat32 ||
      std::find(shape.begin(), shape.end(), 0) != shape.end())
    return false;

  TensorView a = builder.value(x), b = with_number ? TensorView() : builder.value(other);
  auto fits = [&](const TensorView& t) {
    return (t.sizes() == shape && t.is_contiguous()) || t.numel() == 1;
  };
  if (with_number) {
    b = view_of(at::full({}, node.attribute("other").toScalar(), at::kFloat));
    if (swapped) std::swap(a, b);
  }
  if (!fits(a) || !fits(b)) return false;
  if (c10::multiply_integers(shape) != std::max(a.numel(), b.numel())) return false;
  const TensorView y = builder.make_output_in_place(node, node.output());
  builder.emit(node, make_arithmetic(op, a, b, y), {a, b}, {y});
  builder.define(node.output(), y);
  return true;
}

template <Arithmetic op>
void add(Lowerings& table, std::string_view with_tensor, std::string_view with_scalar) {
  table[with_tensor].push_back(lower_arithmetic<op, false>);
  table[with_scalar].push_back(lower_arithmetic<op, true>);
}

}  // namespace

void add_arithmetic_lowerings(Lowerings& table) {
  add<Arithmetic::kAdd>(table, "aten::add.Tensor", "aten::add.Scalar");
  add<Arithmetic::kSubtract>(table, "aten::sub.Tensor", "aten::sub.Scalar");
  add<Arithmetic::kMultiply>(table, "aten::mul.Tensor", "aten::mul.Scalar");
  add<Arithmetic::kDivide>(table, "aten::div.Tensor", "aten::div.Scalar");
  table["aten::rsub.Scalar"].push_back(lower_arithmetic<Arithmetic::kSubtract, true, true>);
}

}  // namespace belfry::internal
