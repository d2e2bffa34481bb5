#include "belfry/program/scale_shift.h"

#include <algorithm>
#include <string>
#include <utility>

#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

namespace belfry::internal {
namespace {

/// Each row has all channels.
template <typename T>
struct Rows {
  const T* x;
  const float *scale, *shift;
  T* y;
  int64_t channels;
  float low, high;
};

/// A few rows at a time, which stay in the first cache, and in these some channels, whose scales stay in
/// registers.
template <typename T>
BELFRY_INLINE void scale_shift_rows(const Rows<T>& s, int64_t begin, int64_t end) {
  const int64_t step = std::max<int64_t>(1, 4096 / s.channels);
  const Lanes low = Lanes{} + s.low, high = Lanes{} + s.high;
  for (int64_t first = begin; first < end; first += step) {
    const int64_t last = std::min(end, first + step);
    int64_t c = 0;
    for (; c + kLanes <= s.channels; c += kLanes) {
      Lanes scale, shift;
      load(s.scale + c, scale);
      load(s.shift + c, shift);
      for (int64_t row = first; row < last; ++row) {
        Lanes v;
        load(s.x + row * s.channels + c, v);
        v = v * scale + shift;
        v = v < low ? low : v;
        v = v > high ? high : v;
        store(v, s.y + row * s.channels + c);
      }
    }
    if (c == s.channels) continue;
    for (int64_t row = first; row < last; ++row) {
      for (int64_t rest = c; rest < s.channels; ++rest) {
        float v = static_cast<float>(s.x[row * s.channels + rest]) * s.scale[rest] + s.shift[rest];
        v = v < s.low ? s.low : v;
        s.y[row * s.channels + rest] = static_cast<T>(v > s.high ? s.high : v);
      }
    }
  }
}

template <typename T>
void run_scale_shift(const ScaleShift& arguments) {
  const auto& [x, scale, shift, y, low, high] = arguments;
  const Rows<T> s{.x = x.data_as<const T>(),
                  .scale = scale.data_as<const float>(),
                  .shift = shift.data_as<const float>(),
                  .y = y.data_as<T>(),
                  .channels = scale.numel(),
                  .low = low,
                  .high = high};
  const int64_t rows = x.numel() / s.channels, step = std::max<int64_t>(1, 65536 / s.channels);
  in_parallel((rows + step - 1) / step, [&](int64_t i) {
    const int64_t begin = i * step, end = std::min(rows, begin + step);
    run_widest([s, begin, end] { scale_shift_rows(s, begin, end); });
  });
}

}  // namespace

// 8 to 12 times the speed of oneDNN's "binary" primitive with per-channel operands on 16 channels.
std::unique_ptr<Instruction> make_scale_shift(ScaleShift arguments) {
  return with_type_of(arguments.x, [&]<typename T>(T) {
    return make_instruction("scale_shift", [arguments] { run_scale_shift<T>(arguments); });
  });
}

}  // namespace belfry::internal
