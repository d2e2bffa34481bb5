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

// On a few numbers a twentieth of the time of an ATen operator, which is all overhead there.
std::unique_ptr<Instruction> make_arithmetic(Arithmetic op, TensorView a, TensorView b, TensorView y) {
  constexpr int64_t kStep = 65536;
  return make_instruction("arithmetic", [=, calculate = kernel_of(op)] {
    const int64_t size = y.numel();
    const Operands o{a.data_as<const float>(), b.data_as<const float>(), y.data_as<float>(),
                     a.numel() == size, b.numel() == size};
    if (size <= kStep) {
      calculate(o, 0, size);
    } else {
      in_parallel((size + kStep - 1) / kStep,
                  [&](int64_t i) { calculate(o, i * kStep, std::min(size, (i + 1) * kStep)); });
    }
  });
}

}  // namespace belfry::internal
