#include "belfry/data/imgaug/internal/cubic_resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/run_wide.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// OpenCV's INTER_CUBIC for bytes of three channels with AVX2: the same weights, the same order of additions
// and the same rounding, so that results are OpenCV's byte for byte. A row's sums along x are kept for the
// four rows of the result that need them.
namespace belfry::imgaug::internal {

#if defined(__x86_64__)
namespace {

// As in OpenCV's resize.cpp: weights are multiples of 2^-11; a row's sums are whole numbers, which float32
// holds exactly; the four rows are added in float32 in this order, but for what is left over after the last 8
// values of a row.
constexpr float kWeightUnit = 2048;
constexpr int kShift = 22;
constexpr int kChannels = 3;

struct Taps {
  int first;                      // of the four neighbours; may lie outside
  std::array<int16_t, 4> weight;  // of each
};

std::vector<Taps> make_taps(int from, int to) {
  const double scale = 1 / (static_cast<double>(to) / from);
  std::vector<Taps> taps(static_cast<size_t>(to));
  for (int i = 0; i < to; ++i) {
    const float place = static_cast<float>((i + 0.5) * scale - 0.5);
    const int below = cvFloor(place);
    const float x = place - static_cast<float>(below);
    constexpr float kA = -0.75f;
    std::array<float, 4> weight;
    weight[0] = ((kA * (x + 1) - 5 * kA) * (x + 1) + 8 * kA) * (x + 1) - 4 * kA;
    weight[1] = ((kA + 2) * x - (kA + 3)) * x * x + 1;
    weight[2] = ((kA + 2) * (1 - x) - (kA + 3)) * (1 - x) * (1 - x) + 1;
    weight[3] = 1.f - weight[0] - weight[1] - weight[2];
    Taps& tap = taps[static_cast<size_t>(i)];
    tap.first = below - 1;
    for (size_t k = 0; k < 4; ++k) tap.weight[k] = cv::saturate_cast<int16_t>(weight[k] * kWeightUnit);
  }
  return taps;
}

class Resizer {
 public:
  Resizer(const cv::Mat& from, cv::Mat& to)
      : from_(from), to_(to), columns_(make_taps(from.cols, to.cols)), rows_(make_taps(from.rows, to.rows)) {
    // Pixels whose neighbours can be loaded as 16 bytes without leaving the row.
    const auto is_left = [](const Taps& tap) { return tap.first < 0; };
    const auto fits = [&](const Taps& tap) { return tap.first * kChannels + 16 <= from.cols * kChannels; };
    begin_ = std::ranges::find_if_not(columns_, is_left) - columns_.begin();
    end_ = std::max(begin_, std::ranges::partition_point(columns_, fits) - columns_.begin());
    end_ -= (end_ - begin_) % 2;
    for (std::vector<float>& sums : sums_) sums.resize(static_cast<size_t>(to.cols * kChannels) + 1);
    spread_.resize(static_cast<size_t>(end_ - begin_));
    for (size_t i = 0; i < spread_.size(); ++i) {
      const Taps& tap = columns_[i + static_cast<size_t>(begin_)];
      for (size_t k = 0; k < 8; ++k) {
        spread_[i].low[k] = tap.weight[k % 2];
        spread_[i].high[k] = tap.weight[2 + k % 2];
      }
    }
  }

  void run() {
    for (int y = 0; y < to_.rows; ++y) {
      const Taps& tap = rows_[static_cast<size_t>(y)];
      std::array<const float*, 4> sums;
      for (int k = 0; k < 4; ++k)
        sums[static_cast<size_t>(k)] = row(std::clamp(tap.first + k, 0, from_.rows - 1));
      add_rows(sums, tap.weight, to_.ptr<uint8_t>(y));
    }
  }

 private:
  // The weights of a pixel's first two and last two neighbours, for each channel.
  struct Spread {
    int16_t low[8], high[8];
  };

  // The sums along row y, kept until the row four below is asked for.
  const float* row(int y) {
    const auto slot = static_cast<size_t>(y % 4);
    if (held_[slot] != y) {
      add_columns(from_.ptr<uint8_t>(y), sums_[slot].data());
      held_[slot] = y;
    }
    return sums_[slot].data();
  }

  void add_edge(const uint8_t* from, float* sums, int64_t x) const {
    const Taps& tap = columns_[static_cast<size_t>(x)];
    for (int c = 0; c < kChannels; ++c) {
      int sum = 0;
      for (int k = 0; k < 4; ++k) {
        const int column = std::clamp(tap.first + k, 0, from_.cols - 1);
        sum += from[column * kChannels + c] * tap.weight[static_cast<size_t>(k)];
      }
      sums[x * kChannels + c] = static_cast<float>(sum);
    }
  }

  [[gnu::target("avx2")]] void add_columns(const uint8_t* from, float* sums) const {
    for (int64_t x = 0; x < begin_; ++x) add_edge(from, sums, x);
    // Bytes to 16 bits, the same channel of two neighbours side by side; -1 is a zero.
    const __m256i first_two =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i last_two = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    const Spread* weights = spread_.data();
    for (int64_t x = begin_; x < end_; x += 2, weights += 2) {
      const __m128i left = load(from + columns_[static_cast<size_t>(x)].first * kChannels);
      const __m128i right = load(from + columns_[static_cast<size_t>(x) + 1].first * kChannels);
      const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(left), right, 1);
      const __m256i low = pair(load(weights[0].low), load(weights[1].low));
      const __m256i high = pair(load(weights[0].high), load(weights[1].high));
      const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(both, first_two), low),
                                           _mm256_madd_epi16(_mm256_shuffle_epi8(both, last_two), high));
      const __m256 result = _mm256_cvtepi32_ps(sum);
      // Four numbers are written for three channels: the next pixel writes over the fourth.
      _mm_storeu_ps(sums + x * kChannels, _mm256_castps256_ps128(result));
      _mm_storeu_ps(sums + (x + 1) * kChannels, _mm256_extractf128_ps(result, 1));
    }
    for (int64_t x = end_; x < to_.cols; ++x) add_edge(from, sums, x);
  }

  [[gnu::target("avx2")]] void add_rows(const std::array<const float*, 4>& sums,
                                        const std::array<int16_t, 4>& weight, uint8_t* to) const {
    constexpr float kUnit = 1 / (kWeightUnit * kWeightUnit);
    const auto [s0, s1, s2, s3] = sums;
    const __m256 w0 = _mm256_set1_ps(weight[0] * kUnit), w1 = _mm256_set1_ps(weight[1] * kUnit);
    const __m256 w2 = _mm256_set1_ps(weight[2] * kUnit), w3 = _mm256_set1_ps(weight[3] * kUnit);
    const int count = to_.cols * kChannels;
    int i = 0;
    for (; i + 8 <= count; i += 8) {
      __m256 sum = _mm256_mul_ps(_mm256_loadu_ps(s3 + i), w3);
      sum = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(s2 + i), w2), sum);
      sum = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(s1 + i), w1), sum);
      sum = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(s0 + i), w0), sum);
      const __m256i rounded = _mm256_cvtps_epi32(sum);
      const __m128i words =
          _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to + i), _mm_packus_epi16(words, words));
    }
    for (; i < count; ++i) {
      const int sum = static_cast<int>(s0[i]) * weight[0] + static_cast<int>(s1[i]) * weight[1] +
                      static_cast<int>(s2[i]) * weight[2] + static_cast<int>(s3[i]) * weight[3];
      to[i] = cv::saturate_cast<uint8_t>((sum + (1 << (kShift - 1))) >> kShift);
    }
  }

  static __m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }
  [[gnu::target("avx2")]] static __m256i pair(__m128i low, __m128i high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  }

  const cv::Mat& from_;
  cv::Mat& to_;
  std::vector<Taps> columns_, rows_;
  int64_t begin_, end_;  // the columns that are computed in pairs
  std::vector<Spread> spread_;
  std::array<std::vector<float>, 4> sums_;
  std::array<int, 4> held_ = {-1, -1, -1, -1};
};

}  // namespace

bool can_resize_cubic(const cv::Mat& image) {
  return image.type() == CV_8UC3 && has_avx2();
}

void resize_cubic(const cv::Mat& from, cv::Mat& to) {
  Resizer(from, to).run();
}
#else
bool can_resize_cubic(const cv::Mat&) {
  return false;
}

void resize_cubic(const cv::Mat&, cv::Mat&) {
  throw InternalError("[resize_cubic] called without AVX2");
}
#endif

}  // namespace belfry::imgaug::internal
