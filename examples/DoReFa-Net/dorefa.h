#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "belfry/belfry.h"

// The quantization of "DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth
// Gradients" and of "Trained Ternary Quantization". All of it is computed in float32.

/// Numbers of bits; 32: as they are.
struct DoReFaBits {
  int w = 1, a = 2, g = 4;
  bool ternary = false;  ///< weights by ternarize()

  /// Of "1,2,4", or "t,32,32". Throws UsageError for others.
  static DoReFaBits parse(const std::string& text) {
    DoReFaBits bits;
    char end;
    if (text == "t,32,32") return {.w = 32, .a = 32, .g = 32, .ternary = true};
    auto known = [](int n) { return n >= 1 && n <= 32; };
    if (std::sscanf(text.c_str(), "%d,%d,%d%c", &bits.w, &bits.a, &bits.g, &end) != 3 || !known(bits.w) ||
        !known(bits.a) || !known(bits.g))
      throw belfry::UsageError(
          fmt::format("[DoReFaBits] expected bits of W,A,G, such as 1,2,4, or t,32,32, got {}", text));
    return bits;
  }
};

using Quantizer = std::function<belfry::Tensor(const belfry::Tensor&)>;
/// For weights, activations and gradients.
struct DoReFa {
  Quantizer fw, fa, fg;
};

/// A gradient that passes through.
inline belfry::Tensor straight_through(const belfry::Tensor& gradient) {
  return gradient;
}

/// `x` in [0, 1] rounded to k bits.
inline belfry::Tensor quantize(const belfry::Tensor& x, int k) {
  const double n = std::exp2(k) - 1;
  return belfry::custom_gradient(belfry::round(x * n) / n, x, straight_through);
}

inline belfry::Tensor binarize(const belfry::Tensor& x) {
  using namespace belfry;
  const Tensor scale = stop_gradient(mean(abs(x)));
  const Tensor sign_of = where(equal(x, 0), ones_like(x), sign(x / scale));
  return custom_gradient(sign_of * scale, x, straight_through);
}

/// The gradient, in k bits of each sample's range, with noise that makes the rounding right in the mean.
inline belfry::Tensor quantize_gradient(const belfry::Tensor& gradient, int k) {
  using namespace belfry;
  std::vector<int64_t> axes(static_cast<size_t>(gradient.rank() - 1));
  std::iota(axes.begin(), axes.end(), 1);
  const double n = std::exp2(k) - 1;
  const Tensor largest = max(abs(gradient), axes, {.keep_dims = true});
  const Tensor x = gradient / largest * 0.5 + 0.5 + random_uniform_like(gradient, -0.5 / n, 0.5 / n);
  return (quantize(clip_by_value(x, 0.0, 1.0), k) - 0.5) * largest * 2;
}

inline DoReFa get_dorefa(const DoReFaBits& bits) {
  using namespace belfry;
  auto fw = [k = bits.w](const Tensor& x) {
    if (k == 32) return x;
    if (k == 1) return binarize(x);
    const Tensor y = tanh(x);
    return quantize(y / max(abs(y)) * 0.5 + 0.5, k) * 2 - 1;
  };
  auto fa = [k = bits.a](const Tensor& x) { return k == 32 ? x : quantize(x, k); };
  auto fg = [k = bits.g](const Tensor& x) {
    if (k == 32) return x;
    return custom_gradient(identity(x), x, [k](const Tensor& dy) { return quantize_gradient(dy, k); });
  };
  return {fw, fa, fg};
}

/// -Wn, 0 or Wp, scalars that are trained; 0 below `threshold` of the largest weight.
inline belfry::Tensor ternarize(const belfry::Tensor& x, double threshold = 0.05) {
  using namespace belfry;
  const Tensor limit = stop_gradient(max(abs(x)) * threshold);
  const Variable w_p = get_variable("Wp", {}, {.initializer = ones_initializer()});
  const Variable w_n = get_variable("Wn", {}, {.initializer = ones_initializer()});
  scalar_summary(w_p.name() + "-summary", w_p);
  scalar_summary(w_n.name() + "-summary", w_n);

  const Tensor one = ones_like(x);
  const Tensor scale = where(less(x, -limit), one * w_n, where(greater(x, limit), one * w_p, one));
  const Tensor kept = where(less(abs(x), limit), zeros_like(x), one);
  const Tensor w = custom_gradient(sign(x) * kept, x, straight_through) * scale;
  histogram_summary(w.op_name(), w);
  return w;
}
