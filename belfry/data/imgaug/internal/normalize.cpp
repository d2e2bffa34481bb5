#include "belfry/data/imgaug/internal/normalize.h"

#include "belfry/data/imgaug/internal/run_wide.h"

namespace belfry::imgaug::internal {
namespace {

// The channels' factors repeat with a period that divides this many values for 1, 2 and 3 channels.
constexpr int64_t kPeriod = 48;

template <typename Value>
void scale_values(const Value* __restrict in, float* __restrict out, int64_t size,
                  const float* __restrict scale, const float* __restrict shift) {
  int64_t i = 0;
  for (; i + kPeriod <= size; i += kPeriod) {
    for (int64_t j = 0; j < kPeriod; ++j) out[i + j] = static_cast<float>(in[i + j]) * scale[j] + shift[j];
  }
  for (int64_t j = 0; i < size; ++i, ++j) out[i] = static_cast<float>(in[i]) * scale[j] + shift[j];
}

}  // namespace

void normalize(const at::Tensor& image, const std::array<double, 3>& mean, const std::array<double, 3>& std,
               const at::Tensor& out) {
  const int64_t channels = image.dim() == 3 ? image.size(2) : 1;
  std::array<float, kPeriod> scale, shift;
  for (int64_t i = 0; i < kPeriod; ++i) {
    const auto c = static_cast<size_t>(i % channels);
    scale[static_cast<size_t>(i)] = static_cast<float>(1 / std[c]);
    shift[static_cast<size_t>(i)] = static_cast<float>(-mean[c] / std[c]);
  }
  auto scale_all = [&](const auto* from) {
    run_wide([from, to = out.mutable_data_ptr<float>(), size = image.numel(), scale = scale.data(),
              shift = shift.data()] { scale_values(from, to, size, scale, shift); });
  };
  if (image.scalar_type() == at::kByte) {
    scale_all(image.const_data_ptr<uint8_t>());
  } else {
    scale_all(image.const_data_ptr<float>());
  }
}

}  // namespace belfry::imgaug::internal
