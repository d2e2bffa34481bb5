#include "belfry/program/max_pool.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

// One image is one piece of work: backward, windows that overlap add up within an image, in the order of the
// windows. The place of the largest value takes a byte, so that the backward pass reads no image.

namespace belfry::internal {
namespace {

using Places = int32_t __attribute__((vector_size(4 * kLanes)));
using PlaceBytes = uint8_t __attribute__((vector_size(kLanes)));

/// Channels at a time.
constexpr int64_t kBlock = 64;

/// The places of a window that lie inside of the image, along one axis.
struct Range {
  int64_t first, last;
};
BELFRY_INLINE Range inside(int64_t start, int64_t kernel, int64_t size) {
  return {std::max<int64_t>(0, -start), std::min(kernel, size - start)};
}

template <typename T>
BELFRY_INLINE void pool_image(const PoolWindows& w, const T* x, T* y, uint8_t* places) {
  for (int64_t row = 0; row < w.out_height; ++row) {
    const int64_t top = row * w.stride_height - w.top;
    const Range rows = inside(top, w.kernel_height, w.height);
    for (int64_t column = 0; column < w.out_width; ++column) {
      const int64_t left = column * w.stride_width - w.left;
      const Range columns = inside(left, w.kernel_width, w.width);
      const int64_t out = (row * w.out_width + column) * w.channels;
      const int32_t start = static_cast<int32_t>(rows.first * w.kernel_width + columns.first);
      // Element by element, in loops of unknown length: of comparisons between vectors, and of loops that
      // it can unroll, gcc makes scalar code.
      for (int64_t c = 0; c < w.channels; c += kBlock) {
        const int64_t count = std::min(kBlock, w.channels - c);
        float best[kBlock];
        int32_t place[kBlock];
        for (int64_t k = 0; k < count; ++k) {
          best[k] = -INFINITY;
          place[k] = start;
        }
        for (int64_t i = rows.first; i < rows.last; ++i) {
          for (int64_t j = columns.first; j < columns.last; ++j) {
            const T* from = x + ((top + i) * w.width + left + j) * w.channels + c;
            const int32_t here = static_cast<int32_t>(i * w.kernel_width + j);
            for (int64_t k = 0; k < count; ++k) {
              const float v = static_cast<float>(from[k]);
              const bool larger = (v > best[k]) | (v != v);
              best[k] = larger ? v : best[k];
              place[k] = larger ? here : place[k];
            }
          }
        }
        for (int64_t k = 0; k < count; ++k) {
          y[out + c + k] = static_cast<T>(best[k]);
          places[out + c + k] = static_cast<uint8_t>(place[k]);
        }
      }
    }
  }
}

/// `overlap`: windows share places, so that gradients are added to zeros; else each place is written once.
template <bool overlap, typename T>
BELFRY_INLINE void unpool_image(const PoolWindows& w, const T* dy, const uint8_t* places, T* dx) {
  for (int64_t row = 0; row < w.out_height; ++row) {
    const int64_t top = row * w.stride_height - w.top;
    const Range rows = inside(top, w.kernel_height, w.height);
    for (int64_t column = 0; column < w.out_width; ++column) {
      const int64_t left = column * w.stride_width - w.left;
      const Range columns = inside(left, w.kernel_width, w.width);
      const int64_t out = (row * w.out_width + column) * w.channels;
      int64_t c = 0;
      for (; c + kLanes <= w.channels; c += kLanes) {
        Lanes g;
        load(dy + out + c, g);
        PlaceBytes bytes;
        std::memcpy(&bytes, places + out + c, sizeof(bytes));
        const Places place = __builtin_convertvector(bytes, Places);
        for (int64_t i = rows.first; i < rows.last; ++i) {
          for (int64_t j = columns.first; j < columns.last; ++j) {
            T* to = dx + ((top + i) * w.width + left + j) * w.channels + c;
            Lanes v = place == static_cast<int32_t>(i * w.kernel_width + j) ? g : Lanes{};
            if constexpr (overlap) {
              Lanes sum;
              load(to, sum);
              v += sum;
            }
            store(v, to);
          }
        }
      }
      for (; c < w.channels; ++c) {
        const int64_t place = places[out + c];
        for (int64_t i = rows.first; i < rows.last; ++i) {
          for (int64_t j = columns.first; j < columns.last; ++j) {
            T& to = dx[((top + i) * w.width + left + j) * w.channels + c];
            const float v = place == i * w.kernel_width + j ? static_cast<float>(dy[out + c]) : 0;
            to = static_cast<T>(overlap ? static_cast<float>(to) + v : v);
          }
        }
      }
    }
  }
}

template <typename T>
void run_max_pool(const PoolWindows& windows, const T* x, T* y, uint8_t* places) {
  const PoolWindows w = windows;
  const int64_t in = w.height * w.width * w.channels, out = w.out_height * w.out_width * w.channels;
  in_parallel(w.batch, [&](int64_t i) {
    const T* its_x = x + i * in;
    T* its_y = y + i * out;
    uint8_t* its_places = places + i * out;
    run_widest([=] { pool_image(w, its_x, its_y, its_places); });
  });
}

template <typename T>
void run_max_pool_backward(const PoolWindows& windows, const T* dy, const uint8_t* places, T* dx) {
  const PoolWindows w = windows;
  const int64_t in = w.height * w.width * w.channels, out = w.out_height * w.out_width * w.channels;
  const bool overlap = w.stride_height < w.kernel_height || w.stride_width < w.kernel_width;
  const bool covers = w.stride_height == w.kernel_height && w.stride_width == w.kernel_width &&
                      w.out_height * w.stride_height - w.top >= w.height &&
                      w.out_width * w.stride_width - w.left >= w.width;
  in_parallel(w.batch, [&](int64_t i) {
    const T* its_dy = dy + i * out;
    const uint8_t* its_places = places + i * out;
    T* its_dx = dx + i * in;
    if (!covers) std::fill(its_dx, its_dx + in, static_cast<T>(0.0f));
    run_widest([=] {
      if (overlap) {
        unpool_image<true, T>(w, its_dy, its_places, its_dx);
      } else {
        unpool_image<false, T>(w, its_dy, its_places, its_dx);
      }
    });
  });
}

}  // namespace

std::unique_ptr<Instruction> make_max_pool(const PoolWindows& windows, TensorView x, TensorView y,
                                           TensorView places) {
  return with_type_of(x, [&]<typename T>(T) {
    return make_instruction("max_pool", [=] {
      run_max_pool(windows, x.data_as<T>(), y.data_as<T>(), places.data_as<uint8_t>());
    });
  });
}

std::unique_ptr<Instruction> make_max_pool_backward(const PoolWindows& windows, TensorView dy,
                                                    TensorView places, TensorView dx) {
  return with_type_of(dy, [&]<typename T>(T) {
    return make_instruction("max_pool backward", [=] {
      run_max_pool_backward(windows, dy.data_as<T>(), places.data_as<uint8_t>(), dx.data_as<T>());
    });
  });
}

}  // namespace belfry::internal
