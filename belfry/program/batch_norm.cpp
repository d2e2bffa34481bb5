#include "belfry/program/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

// Two passes over memory forward (statistics, then y) and two backward (sums, then dx). Statistics of a block
// of rows are the mean and, about that mean, the sum of squares, both in float32 while the block is in the
// first cache; blocks are then put together in float64 by the formula of Chan, Golub and LeVeque (1983). So
// neither a large mean nor many rows cost digits. The parts of the rows do not depend on the number of
// threads, and so neither do the results.

namespace belfry::internal {
namespace {

constexpr int64_t kBlockElements = 4096;

/// Sums by channel in float64, of parts of the rows: made once, used by every run of one instruction.
class ChannelSums {
 public:
  ChannelSums(int64_t rows, int64_t channels)
      : rows_(rows),
        channels_(channels),
        rows_at_once_(std::max<int64_t>(8, kBlockElements / channels)),
        parts_(std::clamp<int64_t>(rows / (8 * rows_at_once_), 1, 64)) {
    rows_of_part_ = (rows + parts_ - 1) / parts_;
    parts_ = (rows + rows_of_part_ - 1) / rows_of_part_;
    sums_.resize(static_cast<size_t>(parts_ * 2 * channels));
  }

  int64_t parts() const { return parts_; }
  int64_t first_row(int64_t part) const { return part * rows_of_part_; }
  int64_t last_row(int64_t part) const { return std::min(rows_, (part + 1) * rows_of_part_); }
  /// Two sums for each channel.
  double* of_part(int64_t part) { return sums_.data() + part * 2 * channels_; }
  /// Of each part, from zeros: calls add(first row, last row, rows before, sums) on rows that can be read
  /// twice while they are in the first cache. `add` is compiled for the widest instructions.
  template <typename Add>
  void take(Add add) {
    in_parallel(parts_, [&](int64_t part) {
      double* its = of_part(part);
      std::fill(its, its + 2 * channels_, 0.0);
      const int64_t first = first_row(part), last = last_row(part), step = rows_at_once_;
      run_widest([=] {
        for (int64_t row = first; row < last; row += step)
          add(row, std::min(last, row + step), row - first, its);
      });
    });
  }

 private:
  int64_t rows_, channels_, rows_at_once_, parts_, rows_of_part_ = 0;
  std::vector<double> sums_;
};

/// Adds the mean and the sum of squares about it of rows [first, last) to those of `count` rows.
template <typename T>
BELFRY_INLINE void add_statistics(const T* x, int64_t channels, int64_t first, int64_t last, double count,
                                  double* mean, double* squares) {
  const double added = static_cast<double>(last - first), total = count + added;
  const double share = added / total, cross = count * share;
  const float inverse = 1 / static_cast<float>(last - first);
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    Lanes sum = {}, v;
    for (int64_t row = first; row < last; ++row) {
      load(x + row * channels + c, v);
      sum += v;
    }
    const Lanes centre = sum * inverse;
    Lanes square = {}, rest = {};
    for (int64_t row = first; row < last; ++row) {
      load(x + row * channels + c, v);
      v -= centre;
      rest += v;
      square += v * v;
    }
    for (int64_t i = 0; i < kLanes; ++i) {
      // What rounding left of the centre counts too.
      const double m = centre[i] + static_cast<double>(rest[i]) / added;
      const double s = square[i] - static_cast<double>(rest[i]) * rest[i] / added;
      const double delta = m - mean[c + i];
      mean[c + i] += delta * share;
      squares[c + i] += s + delta * delta * cross;
    }
  }
  for (; c < channels; ++c) {
    double sum = 0, square = 0;
    for (int64_t row = first; row < last; ++row) sum += static_cast<float>(x[row * channels + c]);
    const double m = sum / added;
    for (int64_t row = first; row < last; ++row) {
      const double v = static_cast<float>(x[row * channels + c]) - m;
      square += v * v;
    }
    const double delta = m - mean[c];
    mean[c] += delta * share;
    squares[c] += square + delta * delta * cross;
  }
}

/// The mean and the sum of squares about it of channel `c`, whose squares float32 cannot hold.
template <typename T>
void take_statistics_again(const BatchNorm& norm, const T* x, int64_t c, double& mean, double& squares) {
  const auto at = [&](int64_t row) {
    return static_cast<double>(static_cast<float>(x[row * norm.channels + c]));
  };
  mean = squares = 0;
  for (int64_t row = 0; row < norm.rows; ++row) mean += at(row) / static_cast<double>(norm.rows);
  for (int64_t row = 0; row < norm.rows; ++row) squares += (at(row) - mean) * (at(row) - mean);
}

template <typename T>
struct Affine {
  const T* x;
  const float *mean, *multiplier, *offset;
  T* y;
  int64_t channels;
  bool relu;
  float limit;
};

template <typename T>
BELFRY_INLINE void apply_rows(const Affine<T>& a, int64_t begin, int64_t end) {
  const int64_t step = std::max<int64_t>(1, kBlockElements / a.channels);
  const Lanes zero = {}, lowest = a.relu ? zero : Lanes{} - INFINITY, highest = zero + a.limit;
  const float low = a.relu ? 0 : -INFINITY, high = a.limit;
  for (int64_t first = begin; first < end; first += step) {
    const int64_t last = std::min(end, first + step);
    int64_t c = 0;
    for (; c + kLanes <= a.channels; c += kLanes) {
      Lanes mean, multiplier, offset, v;
      load(a.mean + c, mean);
      load(a.multiplier + c, multiplier);
      load(a.offset + c, offset);
      for (int64_t row = first; row < last; ++row) {
        load(a.x + row * a.channels + c, v);
        v = (v - mean) * multiplier + offset;
        v = v < lowest ? lowest : v;
        v = v > highest ? highest : v;
        store(v, a.y + row * a.channels + c);
      }
    }
    for (; c < a.channels; ++c) {
      for (int64_t row = first; row < last; ++row) {
        const float x = static_cast<float>(a.x[row * a.channels + c]);
        const float v = (x - a.mean[c]) * a.multiplier[c] + a.offset[c];
        a.y[row * a.channels + c] = static_cast<T>(v < low ? low : v > high ? high : v);
      }
    }
  }
}

/// Makes of y what is positive, or NaN, where a relu up to `limit` lets y through: one comparison for both
/// limits, since two of vectors are not compiled for the widest instructions.
template <typename Value>
BELFRY_INLINE void to_let_through(float limit, Value& y) {
  if (limit < INFINITY) y *= limit - y;
}

template <typename T>
struct Backward {
  const T *dy, *x;
  const float* mean;
  const float *multiplier, *offset;  ///< of the forward pass, for the sign of y
  T* dx;
  int64_t channels;
  bool relu;
  float limit;
};

/// Adds sum(dy) and sum(dy (x - mean)), of a block.
template <typename T>
BELFRY_INLINE void add_gradient_sums(const Backward<T>& b, int64_t first, int64_t last, double* sums,
                                     double* products) {
  int64_t c = 0;
  for (; c + kLanes <= b.channels; c += kLanes) {
    Lanes mean, multiplier, offset, sum = {}, product = {};
    load(b.mean + c, mean);
    load(b.multiplier + c, multiplier);
    load(b.offset + c, offset);
    for (int64_t row = first; row < last; ++row) {
      Lanes x, dy;
      load(b.x + row * b.channels + c, x);
      load(b.dy + row * b.channels + c, dy);
      Lanes y = (x - mean) * multiplier + offset;
      to_let_through(b.limit, y);
      if (b.relu) dy = y <= 0 ? Lanes{} : dy;
      sum += dy;
      product += dy * (x - mean);
    }
    for (int64_t i = 0; i < kLanes; ++i) {
      sums[c + i] += sum[i];
      products[c + i] += product[i];
    }
  }
  for (; c < b.channels; ++c) {
    for (int64_t row = first; row < last; ++row) {
      const float x = static_cast<float>(b.x[row * b.channels + c]);
      float y = (x - b.mean[c]) * b.multiplier[c] + b.offset[c];
      to_let_through(b.limit, y);
      if (b.relu && y <= 0) continue;
      const double dy = static_cast<float>(b.dy[row * b.channels + c]);
      sums[c] += dy;
      products[c] += dy * (static_cast<double>(x) - b.mean[c]);
    }
  }
}

/// dx = dy * multiplier + (x - mean) * slope + shift.
template <typename T>
BELFRY_INLINE void gradient_rows(const Backward<T>& b, const float* slope, const float* shift, int64_t begin,
                                 int64_t end) {
  const int64_t step = std::max<int64_t>(1, kBlockElements / b.channels);
  for (int64_t first = begin; first < end; first += step) {
    const int64_t last = std::min(end, first + step);
    int64_t c = 0;
    for (; c + kLanes <= b.channels; c += kLanes) {
      Lanes mean, multiplier, offset, a, s;
      load(b.mean + c, mean);
      load(b.multiplier + c, multiplier);
      load(b.offset + c, offset);
      load(slope + c, a);
      load(shift + c, s);
      for (int64_t row = first; row < last; ++row) {
        Lanes x, dy;
        load(b.x + row * b.channels + c, x);
        load(b.dy + row * b.channels + c, dy);
        Lanes y = (x - mean) * multiplier + offset;
        to_let_through(b.limit, y);
        if (b.relu) dy = y <= 0 ? Lanes{} : dy;
        dy = dy * multiplier + ((x - mean) * a + s);
        store(dy, b.dx + row * b.channels + c);
      }
    }
    for (; c < b.channels; ++c) {
      for (int64_t row = first; row < last; ++row) {
        const float x = static_cast<float>(b.x[row * b.channels + c]);
        float dy = static_cast<float>(b.dy[row * b.channels + c]);
        float y = (x - b.mean[c]) * b.multiplier[c] + b.offset[c];
        to_let_through(b.limit, y);
        if (b.relu && y <= 0) dy = 0;
        b.dx[row * b.channels + c] =
            static_cast<T>(dy * b.multiplier[c] + ((x - b.mean[c]) * slope[c] + shift[c]));
      }
    }
  }
}

/// Calls body(first row, last row) on pieces that fit the second cache.
template <typename Body>
void on_rows(int64_t rows, int64_t channels, Body body) {
  const int64_t step = std::max<int64_t>(1, 65536 / channels);
  in_parallel((rows + step - 1) / step, [&](int64_t i) { body(i * step, std::min(rows, (i + 1) * step)); });
}

/// What y is made of x with, by channel.
struct Factors {
  std::vector<float> multiplier, offset;
};

Factors factors_of(const BatchNorm& norm, const float* scale, const float* offset, const double* variance) {
  Factors f{std::vector<float>(static_cast<size_t>(norm.channels)),
            std::vector<float>(static_cast<size_t>(norm.channels))};
  for (int64_t c = 0; c < norm.channels; ++c) {
    const size_t i = static_cast<size_t>(c);
    const double factor = (scale ? scale[c] : 1.0) / std::sqrt(variance[c] + norm.epsilon);
    f.multiplier[i] = static_cast<float>(factor);
    f.offset[i] = offset ? offset[c] : 0;
  }
  return f;
}

template <typename T>
void run_batch_norm(const BatchNorm& norm, ChannelSums& sums, const T* x, const float* scale,
                    const float* offset, T* y, float* mean, float* variance) {
  const int64_t channels = norm.channels;
  sums.take([=](int64_t first, int64_t last, int64_t before, double* its) __attribute__((always_inline)) {
    add_statistics(x, channels, first, last, static_cast<double>(before), its, its + channels);
  });
  double* all = sums.of_part(0);
  for (int64_t part = 1; part < sums.parts(); ++part) {
    const double* its = sums.of_part(part);
    const double before = static_cast<double>(sums.first_row(part));
    const double added = static_cast<double>(sums.last_row(part) - sums.first_row(part));
    for (int64_t c = 0; c < channels; ++c) {
      const double delta = its[c] - all[c], share = added / (before + added);
      all[c] += delta * share;
      all[channels + c] += its[channels + c] + delta * delta * before * share;
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    if (!std::isfinite(all[channels + c])) take_statistics_again(norm, x, c, all[c], all[channels + c]);
  }
  const double count = static_cast<double>(norm.rows);
  const double correction = norm.unbiased_variance && norm.rows > 1 ? count / (count - 1) : 1;
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<float>(all[c]);
    all[channels + c] /= count;
    variance[c] = static_cast<float>(all[channels + c] * correction);
  }
  const Factors f = factors_of(norm, scale, offset, all + channels);
  const Affine<T> affine{x, mean, f.multiplier.data(), f.offset.data(), y, channels, norm.relu, norm.limit};
  on_rows(norm.rows, channels, [&](int64_t first, int64_t last) {
    run_widest([affine, first, last] { apply_rows(affine, first, last); });
  });
}

template <typename T>
void run_batch_norm_backward(const BatchNorm& norm, ChannelSums& sums, const T* dy, const T* x,
                             const float* scale, const float* offset, const float* mean,
                             const float* variance, T* dx, float* dscale, float* doffset) {
  const int64_t channels = norm.channels;
  const double count = static_cast<double>(norm.rows);
  const double bias = norm.unbiased_variance && norm.rows > 1 ? (count - 1) / count : 1;
  std::vector<double> biased(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) biased[static_cast<size_t>(c)] = variance[c] * bias;
  const Factors f = factors_of(norm, scale, offset, biased.data());
  const Backward<T> b{dy, x, mean, f.multiplier.data(), f.offset.data(), dx, channels, norm.relu, norm.limit};
  sums.take([=](int64_t first, int64_t last, int64_t, double* its)
                __attribute__((always_inline)) { add_gradient_sums(b, first, last, its, its + channels); });
  std::vector<float> slope(static_cast<size_t>(channels)), shift(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    const size_t i = static_cast<size_t>(c);
    double sum = 0, product = 0;
    for (int64_t part = 0; part < sums.parts(); ++part) {
      sum += sums.of_part(part)[c];
      product += sums.of_part(part)[channels + c];
    }
    const double inverse = 1 / std::sqrt(biased[i] + norm.epsilon);
    dscale[c] = static_cast<float>(product * inverse);
    doffset[c] = static_cast<float>(sum);
    slope[i] = static_cast<float>(-f.multiplier[i] * inverse * inverse * product / count);
    shift[i] = static_cast<float>(-f.multiplier[i] * sum / count);
  }
  const float *slopes = slope.data(), *shifts = shift.data();
  on_rows(norm.rows, channels, [&](int64_t first, int64_t last) {
    run_widest([=] { gradient_rows(b, slopes, shifts, first, last); });
  });
}

}  // namespace

std::unique_ptr<Instruction> make_batch_norm(const BatchNorm& norm, const BatchNormTensors& tensors) {
  return with_type_of(tensors.x, [&]<typename T>(T) {
    return make_instruction(norm.relu ? "batch_norm + relu" : "batch_norm",
                            [norm, t = tensors, sums = ChannelSums(norm.rows, norm.channels)]() mutable {
                              run_batch_norm(norm, sums, t.x.data_as<const T>(),
                                             t.scale.data_or_null<const float>(),
                                             t.offset.data_or_null<const float>(), t.y.data_as<T>(),
                                             t.mean.data_as<float>(), t.variance.data_as<float>());
                            });
  });
}

std::unique_ptr<Instruction> make_batch_norm_backward(const BatchNorm& norm,
                                                      const BatchNormGradients& tensors) {
  return with_type_of(tensors.x, [&]<typename T>(T) {
    return make_instruction(norm.relu ? "batch_norm + relu backward" : "batch_norm backward",
                            [norm, t = tensors, sums = ChannelSums(norm.rows, norm.channels)]() mutable {
                              run_batch_norm_backward(
                                  norm, sums, t.dy.data_as<const T>(), t.x.data_as<const T>(),
                                  t.scale.data_or_null<const float>(), t.offset.data_or_null<const float>(),
                                  t.mean.data_as<const float>(), t.variance.data_as<const float>(),
                                  t.dx.data_as<T>(), t.dscale.data_as<float>(), t.doffset.data_as<float>());
                            });
  });
}

}  // namespace belfry::internal
