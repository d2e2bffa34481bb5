#include <ATen/ops/full.h>

#include <algorithm>

#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

namespace belfry::internal {
namespace {

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide };

template <Arithmetic op, typename T>
BELFRY_INLINE void calculate(const T& a, const T& b, T& y) {
  if constexpr (op == Arithmetic::kAdd) y = a + b;
  if constexpr (op == Arithmetic::kSubtract) y = a - b;
  if constexpr (op == Arithmetic::kMultiply) y = a * b;
  if constexpr (op == Arithmetic::kDivide) y = a / b;
}

/// One of the operands may be a number: its step is 0.
struct Operands {
  const float *a, *b;
  float* y;
  int64_t a_step, b_step;
};

template <Arithmetic op>
BELFRY_INLINE void calculate_range(const Operands& o, int64_t begin, int64_t end) {
  auto operand = [](const float* from, int64_t step, int64_t i, Lanes& to) __attribute__((always_inline)) {
    if (step == 0) {
      to = Lanes{} + *from;
    } else {
      load(from + i, to);
    }
  };
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    Lanes a, b, y;
    operand(o.a, o.a_step, i, a);
    operand(o.b, o.b_step, i, b);
    calculate<op>(a, b, y);
    store(y, o.y + i);
  }
  for (; i < end; ++i) calculate<op>(o.a[i * o.a_step], o.b[i * o.b_step], o.y[i]);
}

using Calculate = void (*)(const Operands&, int64_t, int64_t);

template <Arithmetic op>
void calculate_widest(const Operands& o, int64_t begin, int64_t end) {
  run_widest([o, begin, end] { calculate_range<op>(o, begin, end); });
}

/// On a few numbers a twentieth of the time of an ATen operator, which is all overhead there.
class ArithmeticInstruction : public Instruction {
 public:
  ArithmeticInstruction(Calculate calculate, TensorView a, TensorView b, TensorView y)
      : calculate_(calculate), a_(std::move(a)), b_(std::move(b)), y_(std::move(y)) {}

  void run() override {
    const int64_t size = y_.numel();
    const Operands o{a_.data_as<const float>(), b_.data_as<const float>(), y_.data_as<float>(),
                     a_.numel() == size, b_.numel() == size};
    if (size <= kStep) {
      calculate_(o, 0, size);
    } else {
      in_parallel((size + kStep - 1) / kStep,
                  [&](int64_t i) { calculate_(o, i * kStep, std::min(size, (i + 1) * kStep)); });
    }
  }
  std::string describe() const override { return "arithmetic"; }

 private:
  static constexpr int64_t kStep = 65536;

  Calculate calculate_;
  TensorView a_, b_, y_;
};

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
  builder.emit(node, std::make_unique<ArithmeticInstruction>(calculate_widest<op>, a, b, y), {a, b}, {y});
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
