#include "belfry/program/group_norm.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "belfry/program/in_parallel.h"
#include "belfry/program/lanes.h"

// Each sample is read twice or three times while it is in the cache: sums of its channels, in float64, then
// the result. Sums of groups are those of their channels. Samples are divided into parts for threads, and a
// part sums its gradients by scale and offset before they are added up.

namespace belfry::internal {
namespace {

/// What a part of the samples works with, by channel; made once, used by every run of one instruction.
struct Scratch {
  std::vector<double> sums, products, mean;
  std::vector<double> dscale, doffset;  ///< of the whole part
  std::vector<float> centre, multiplier, slope, addend;

  explicit Scratch(int64_t channels) {
    const auto count = static_cast<size_t>(channels);
    for (auto* values : {&sums, &products, &mean, &dscale, &doffset}) values->resize(count);
    for (auto* values : {&centre, &multiplier, &slope, &addend}) values->resize(count);
  }
};

BELFRY_INLINE double sum_of(const double* values, int64_t count) {
  constexpr int64_t kWide = 8;
  using Doubles = double __attribute__((vector_size(8 * kWide)));
  Doubles total = {};
  int64_t i = 0;
  for (; i + kWide <= count; i += kWide) {
    Doubles v;
    std::memcpy(&v, values + i, sizeof(v));
    total += v;
  }
  double sum = 0;
  for (int64_t k = 0; k < kWide; ++k) sum += total[k];
  for (; i < count; ++i) sum += values[i];
  return sum;
}

/// Of one sample.
struct Forward {
  const float *x, *scale, *offset;
  float* y;
  double *mean, *inverse;
};

BELFRY_INLINE void normalize(const GroupNorm& n, const Forward& f, Scratch& s) {
  const int64_t channels = n.channels, of_group = channels / n.groups;
  const double count = static_cast<double>(n.pixels * of_group);
  double* __restrict sums = s.sums.data();
  double* __restrict means = s.mean.data();
  std::fill(sums, sums + channels, 0.0);
  for (int64_t p = 0; p < n.pixels; ++p) {
    const float* row = f.x + p * channels;
    for (int64_t c = 0; c < channels; ++c) sums[c] += row[c];
  }
  for (int64_t g = 0; g < n.groups; ++g) {
    f.mean[g] = sum_of(sums + g * of_group, of_group) / count;
    std::fill(means + g * of_group, means + (g + 1) * of_group, f.mean[g]);
  }
  std::fill(sums, sums + channels, 0.0);
  for (int64_t p = 0; p < n.pixels; ++p) {
    const float* row = f.x + p * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double v = row[c] - means[c];
      sums[c] += v * v;
    }
  }
  float* __restrict centre = s.centre.data();
  float* __restrict multiplier = s.multiplier.data();
  float* __restrict addend = s.addend.data();
  for (int64_t g = 0; g < n.groups; ++g) {
    const int64_t first = g * of_group, last = first + of_group;
    const double inverse = 1 / std::sqrt(sum_of(sums + first, of_group) / count + n.epsilon);
    f.inverse[g] = inverse;
    const float rounded = static_cast<float>(f.mean[g]), factor = static_cast<float>(inverse);
    const float rest = static_cast<float>((rounded - f.mean[g]) * inverse);
    for (int64_t c = first; c < last; ++c) {
      const float scale = f.scale ? f.scale[c] : 1;
      centre[c] = rounded;
      multiplier[c] = factor * scale;
      addend[c] = rest * scale + (f.offset ? f.offset[c] : 0);
    }
  }
  for (int64_t p = 0; p < n.pixels; ++p) {
    const float* row = f.x + p * channels;
    float* __restrict y = f.y + p * channels;
    for (int64_t c = 0; c < channels; ++c) y[c] = (row[c] - centre[c]) * multiplier[c] + addend[c];
  }
}

/// Of one sample.
struct Backward {
  const float *dy, *x, *scale;
  const double *mean, *inverse;
  float* dx;
};

/// With n = (x - mean) inverse: dx = inverse (dy scale - mean(dy scale) - n mean(dy scale n)).
BELFRY_INLINE void differentiate(const GroupNorm& n, const Backward& b, Scratch& s) {
  const int64_t channels = n.channels, of_group = channels / n.groups;
  const double count = static_cast<double>(n.pixels * of_group);
  double* __restrict sums = s.sums.data();
  double* __restrict products = s.products.data();
  double* __restrict means = s.mean.data();
  for (int64_t g = 0; g < n.groups; ++g)
    std::fill(means + g * of_group, means + (g + 1) * of_group, b.mean[g]);
  std::fill(sums, sums + channels, 0.0);
  std::fill(products, products + channels, 0.0);
  for (int64_t p = 0; p < n.pixels; ++p) {
    const float *dy = b.dy + p * channels, *x = b.x + p * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double g = dy[c];
      sums[c] += g;
      products[c] += g * (x[c] - means[c]);
    }
  }
  double* __restrict dscale = s.dscale.data();
  double* __restrict doffset = s.doffset.data();
  float* __restrict centre = s.centre.data();
  float* __restrict multiplier = s.multiplier.data();
  float* __restrict slope = s.slope.data();
  float* __restrict addend = s.addend.data();
  for (int64_t g = 0; g < n.groups; ++g) {
    const int64_t first = g * of_group, last = first + of_group;
    const double inverse = b.inverse[g];
    for (int64_t c = first; c < last; ++c) {
      products[c] *= inverse;
      doffset[c] += sums[c];
      dscale[c] += products[c];
    }
    if (b.scale) {
      for (int64_t c = first; c < last; ++c) {
        sums[c] *= b.scale[c];
        products[c] *= b.scale[c];
      }
    }
    const double along = -inverse * inverse * sum_of(products + first, of_group) / count;
    const float rounded = static_cast<float>(b.mean[g]), factor = static_cast<float>(inverse);
    const float its_slope = static_cast<float>(along);
    const float shift =
        static_cast<float>(-inverse * sum_of(sums + first, of_group) / count + (rounded - b.mean[g]) * along);
    for (int64_t c = first; c < last; ++c) {
      centre[c] = rounded;
      multiplier[c] = b.scale ? factor * b.scale[c] : factor;
      slope[c] = its_slope;
      addend[c] = shift;
    }
  }
  for (int64_t p = 0; p < n.pixels; ++p) {
    const float *dy = b.dy + p * channels, *x = b.x + p * channels;
    float* dx = b.dx + p * channels;
    BELFRY_INDEPENDENT
    for (int64_t c = 0; c < channels; ++c)
      dx[c] = dy[c] * multiplier[c] + ((x[c] - centre[c]) * slope[c] + addend[c]);
  }
}

/// Samples in parts that are worth a thread.
class Parts {
 public:
  explicit Parts(const GroupNorm& norm) : samples_(norm.samples) {
    const int64_t enough = samples_ * norm.pixels * norm.channels / 16384;
    of_part_ = (samples_ + std::clamp<int64_t>(enough, 1, 64) - 1) / std::clamp<int64_t>(enough, 1, 64);
    scratch_.assign(static_cast<size_t>((samples_ + of_part_ - 1) / of_part_), Scratch(norm.channels));
  }

  /// Calls body(first sample, last sample, scratch).
  template <typename Body>
  void run(Body body) {
    in_parallel(static_cast<int64_t>(scratch_.size()), [&](int64_t i) {
      body(i * of_part_, std::min(samples_, (i + 1) * of_part_), scratch_[static_cast<size_t>(i)]);
    });
  }
  const std::vector<Scratch>& scratch() const { return scratch_; }

 private:
  int64_t samples_, of_part_;
  std::vector<Scratch> scratch_;
};

class GroupNormInstruction : public Instruction {
 public:
  GroupNormInstruction(const GroupNorm& norm, GroupNormTensors tensors)
      : norm_(norm), parts_(norm), t_(std::move(tensors)) {}

  void run() override {
    const GroupNorm n = norm_;
    const int64_t size = n.pixels * n.channels;
    const Forward all{t_.x.data_or_null<const float>(),
                      t_.scale.data_or_null<const float>(),
                      t_.offset.data_or_null<const float>(),
                      t_.y.data_as<float>(),
                      t_.mean.data_as<double>(),
                      t_.inverse.data_as<double>()};
    parts_.run([&](int64_t first, int64_t last, Scratch& scratch) {
      run_widest([n, all, first, last, size, &scratch] {
        for (int64_t i = first; i < last; ++i) {
          normalize(n,
                    {all.x + i * size, all.scale, all.offset, all.y + i * size, all.mean + i * n.groups,
                     all.inverse + i * n.groups},
                    scratch);
        }
      });
    });
  }
  std::string describe() const override { return norm_.pixels == 1 ? "layer_norm" : "group_norm"; }

 private:
  GroupNorm norm_;
  Parts parts_;
  GroupNormTensors t_;
};

class GroupNormBackward : public Instruction {
 public:
  GroupNormBackward(const GroupNorm& norm, GroupNormGradients tensors)
      : norm_(norm), parts_(norm), t_(std::move(tensors)) {}

  void run() override {
    const GroupNorm n = norm_;
    const int64_t size = n.pixels * n.channels;
    const Backward all{t_.dy.data_or_null<const float>(),    t_.x.data_or_null<const float>(),
                       t_.scale.data_or_null<const float>(), t_.mean.data_as<const double>(),
                       t_.inverse.data_as<const double>(),   t_.dx.data_as<float>()};
    parts_.run([&](int64_t first, int64_t last, Scratch& scratch) {
      std::ranges::fill(scratch.dscale, 0.0);
      std::ranges::fill(scratch.doffset, 0.0);
      run_widest([n, all, first, last, size, &scratch] {
        for (int64_t i = first; i < last; ++i) {
          differentiate(n,
                        {all.dy + i * size, all.x + i * size, all.scale, all.mean + i * n.groups,
                         all.inverse + i * n.groups, all.dx + i * size},
                        scratch);
        }
      });
    });
    for (int64_t c = 0; c < n.channels; ++c) {
      double dscale = 0, doffset = 0;
      for (const Scratch& scratch : parts_.scratch()) {
        dscale += scratch.dscale[static_cast<size_t>(c)];
        doffset += scratch.doffset[static_cast<size_t>(c)];
      }
      t_.dscale.data_as<float>()[c] = static_cast<float>(dscale);
      t_.doffset.data_as<float>()[c] = static_cast<float>(doffset);
    }
  }
  std::string describe() const override {
    return norm_.pixels == 1 ? "layer_norm backward" : "group_norm backward";
  }

 private:
  GroupNorm norm_;
  Parts parts_;
  GroupNormGradients t_;
};

}  // namespace

std::unique_ptr<Instruction> make_group_norm(const GroupNorm& norm, const GroupNormTensors& tensors) {
  return std::make_unique<GroupNormInstruction>(norm, tensors);
}

std::unique_ptr<Instruction> make_group_norm_backward(const GroupNorm& norm,
                                                      const GroupNormGradients& tensors) {
  return std::make_unique<GroupNormBackward>(norm, tensors);
}

}  // namespace belfry::internal
