#include "belfry/program/softmax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/program/exponential.h"
#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

// Rows are read and written while they are in the first cache; sums are float64. The largest of a row is
// found by halving a copy of it, which is vector code where a running maximum, with its NaN, is not.

namespace belfry::internal {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kElementsOfTask = 16384;

constexpr int64_t kWide = 8;
using Floats = float __attribute__((vector_size(4 * kWide)));
using Doubles = double __attribute__((vector_size(8 * kWide)));

BELFRY_INLINE double sum_of(const float* a, const float* b, int64_t count) {
  Doubles total = {};
  int64_t i = 0;
  for (; i + kWide <= count; i += kWide) {
    Floats x, y;
    std::memcpy(&x, a + i, sizeof(x));
    if (b) {
      std::memcpy(&y, b + i, sizeof(y));
      x *= y;
    }
    total += __builtin_convertvector(x, Doubles);
  }
  double sum = 0;
  for (int64_t k = 0; k < kWide; ++k) sum += total[k];
  for (; i < count; ++i) sum += b ? a[i] * b[i] : a[i];
  return sum;
}

/// Spoils `values`. Of NaN and a number either may be taken.
BELFRY_INLINE float largest_of(float* values, int64_t count) {
  while (count > 1) {
    const int64_t half = count / 2, rest = count - half;
    BELFRY_INDEPENDENT
    for (int64_t i = 0; i < half; ++i)
      values[i] = values[i] > values[rest + i] ? values[i] : values[rest + i];
    count = rest;
  }
  return values[0];
}

/// A row; of `count` elements only `used` take part.
struct Row {
  const float* x;
  const float* added;
  const uint8_t* allowed;
  float* y;
  int64_t count, used;
};

BELFRY_INLINE void softmax_row(const Softmax& s, const Row& row, float* __restrict scratch) {
  float* y = row.y;
  BELFRY_INDEPENDENT
  for (int64_t i = 0; i < row.used; ++i) y[i] = row.x[i] * s.scale;
  if (row.added) {
    for (int64_t i = 0; i < row.used; ++i) y[i] += row.added[i];
  }
  if (row.allowed) {
    for (int64_t i = 0; i < row.used; ++i) y[i] = row.allowed[i] ? y[i] : -kInfinity;
  }
  std::copy_n(y, row.used, scratch);
  const float most = largest_of(scratch, row.used);
  std::fill(y + row.used, y + row.count, 0.f);
  if (s.is_safe && most == -kInfinity) {
    const bool nothing = std::none_of(y, y + row.used, [](float v) { return v != v; });
    if (nothing) return std::fill(y, y + row.used, 0.f);
  }
  for (int64_t i = 0; i < row.used; ++i) y[i] = exponential(y[i] - most);
  const float inverse = static_cast<float>(1 / sum_of(y, nullptr, row.used));
  for (int64_t i = 0; i < row.used; ++i) y[i] *= inverse;
}

BELFRY_INLINE void differentiate_row(float scale, const float* dy, const float* y, float* dx, int64_t count) {
  const float along = static_cast<float>(sum_of(dy, y, count));
  BELFRY_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) dx[i] = (dy[i] - along) * y[i] * scale;
}

BELFRY_INLINE double cross_entropy_of_row(const float* x, int64_t count, int64_t label,
                                          float* __restrict scratch) {
  std::copy_n(x, count, scratch);
  const float most = largest_of(scratch, count);
  BELFRY_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) scratch[i] = exponential(x[i] - most);
  return std::log(sum_of(scratch, nullptr, count)) - (x[label] - most);
}

int64_t label_at(const TensorView& labels, int64_t row) {
  return labels.type() == ElementType::kInt64 ? labels.data_as<const int64_t>()[row]
                                              : labels.data_as<const int32_t>()[row];
}

/// Calls body(first row, last row) on rows that are worth a thread.
template <typename Body>
void on_rows(int64_t rows, int64_t count, Body body) {
  const int64_t step = std::max<int64_t>(1, kElementsOfTask / count);
  in_parallel((rows + step - 1) / step, [&](int64_t i) { body(i * step, std::min(rows, (i + 1) * step)); });
}

class SoftmaxInstruction : public Instruction {
 public:
  SoftmaxInstruction(const Softmax& softmax, TensorView x, TensorView mask, TensorView y)
      : softmax_(softmax), x_(std::move(x)), mask_(std::move(mask)), y_(std::move(y)) {}

  void run() override {
    const int64_t count = x_.size(-1), rows = x_.numel() / count;
    const int64_t of_matrix = x_.dim() > 1 ? x_.size(-2) : 1;
    on_rows(rows, count, [&](int64_t first, int64_t last) {
      std::vector<float> scratch(static_cast<size_t>(count));
      for (int64_t r = first; r < last; ++r) {
        Row row{.x = x_.data_as<const float>() + r * count,
                .added = nullptr,
                .allowed = nullptr,
                .y = y_.data_as<float>() + r * count,
                .count = count,
                .used = softmax_.is_causal ? std::min(count, r % of_matrix + 1) : count};
        if (mask_.defined() && mask_.type() == ElementType::kFloat32) {
          row.added = mask_.data_as<const float>() + mask_offset(r);
        } else if (mask_.defined()) {
          row.allowed = mask_.data_as<const uint8_t>() + mask_offset(r);
        }
        run_widest([s = softmax_, row, memory = scratch.data()] { softmax_row(s, row, memory); });
      }
    });
  }
  std::string describe() const override { return "softmax"; }

 private:
  int64_t mask_offset(int64_t row) const {
    int64_t offset = 0;
    for (int64_t axis = mask_.dim() - 2; axis >= 0; --axis) {
      offset += row % mask_.size(axis) * mask_.stride(axis);
      row /= mask_.size(axis);
    }
    return offset;
  }

  Softmax softmax_;
  TensorView x_, mask_, y_;
};

}  // namespace

std::unique_ptr<Instruction> make_softmax(const Softmax& softmax, TensorView x, TensorView mask,
                                          TensorView y) {
  return std::make_unique<SoftmaxInstruction>(softmax, std::move(x), std::move(mask), std::move(y));
}

std::unique_ptr<Instruction> make_softmax_cross_entropy(const std::string& name, TensorView logits,
                                                        TensorView labels, TensorView loss) {
  return make_instruction("softmax cross entropy", [=] {
    const int64_t count = logits.size(-1), rows = labels.numel();
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t label = label_at(labels, r);
      if (label >= 0 && label < count) continue;
      throw DataError(fmt::format("[{}] expected labels from 0 to {}, got {}", name, count - 1, label));
    }
    const auto* x = logits.data_as<const float>();
    auto* result = loss.data_as<float>();
    on_rows(rows, count, [&](int64_t first, int64_t last) {
      std::vector<float> scratch(static_cast<size_t>(count));
      for (int64_t r = first; r < last; ++r) {
        const int64_t label = label_at(labels, r);
        run_widest([=, memory = scratch.data()] {
          result[r] = static_cast<float>(cross_entropy_of_row(x + r * count, count, label, memory));
        });
      }
    });
  });
}

std::unique_ptr<Instruction> make_softmax_cross_entropy_backward(TensorView gradient, TensorView logits,
                                                                 TensorView labels, TensorView by_logits) {
  return make_instruction("softmax cross entropy backward", [=] {
    const int64_t count = logits.size(-1), rows = labels.numel();
    const auto *x = logits.data_as<const float>(), *by_loss = gradient.data_as<const float>();
    auto* dx = by_logits.data_as<float>();
    on_rows(rows, count, [&](int64_t first, int64_t last) {
      std::vector<float> scratch(static_cast<size_t>(count));
      for (int64_t r = first; r < last; ++r) {
        const int64_t label = label_at(labels, r);
        run_widest([=, memory = scratch.data()] {
          float* const row = dx + r * count;
          softmax_row({}, {x + r * count, nullptr, nullptr, row, count, count}, memory);
          row[label] -= 1;
          const float scale = by_loss[r];
          for (int64_t i = 0; i < count; ++i) row[i] *= scale;
        });
      }
    });
  });
}

std::unique_ptr<Instruction> make_softmax_backward(float scale, TensorView dy, TensorView y, TensorView dx) {
  return make_instruction("softmax backward", [=] {
    const int64_t count = y.size(-1);
    const auto *by_y = dy.data_as<const float>(), *values = y.data_as<const float>();
    auto* by_x = dx.data_as<float>();
    on_rows(y.numel() / count, count, [&](int64_t first, int64_t last) {
      run_widest([=] {
        for (int64_t r = first; r < last; ++r)
          differentiate_row(scale, by_y + r * count, values + r * count, by_x + r * count, count);
      });
    });
  });
}

}  // namespace belfry::internal
