#include "belfry/program/arithmetic.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

namespace belfry::internal {
namespace {

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

Calculate kernel_of(Arithmetic op) {
  switch (op) {
    case Arithmetic::kAdd:
      return calculate_widest<Arithmetic::kAdd>;
    case Arithmetic::kSubtract:
      return calculate_widest<Arithmetic::kSubtract>;
    case Arithmetic::kMultiply:
      return calculate_widest<Arithmetic::kMultiply>;
    default:
      return calculate_widest<Arithmetic::kDivide>;
  }
}

}  // namespace

std::unique_ptr<Instruction> make_arithmetic(Arithmetic op, TensorView a, TensorView b, TensorView y) {
  return std::make_unique<ArithmeticInstruction>(kernel_of(op), std::move(a), std::move(b), std::move(y));
}

}  // namespace belfry::internal
