#include "belfry/summary/internal/summary_nodes.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/where.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

#include "belfry/graph/node.h"

namespace belfry::internal {

std::string tag_of(const Tensor& summary) {
  return summary.node().attribute("tag").toStringRef();
}

at::Tensor to_byte_images(const at::Tensor& images, int64_t max_images) {
  const at::Tensor shown = images.slice(0, 0, std::min(max_images, images.size(0)));
  if (shown.scalar_type() == at::kByte || shown.numel() == 0) return shown.to(at::kByte);
  const at::Tensor pixels = shown.to(at::kFloat);
  const at::Tensor finite = pixels.isfinite();
  const at::Tensor values = at::nan_to_num(pixels, 0, 0, 0);
  const at::Tensor low = at::amin(values, {1, 2, 3}, /*keepdim=*/true);
  const at::Tensor high = at::amax(values, {1, 2, 3}, /*keepdim=*/true);
  const at::Tensor unit = values.div(at::maximum(low.abs(), high.abs()).clamp_min(1e-30));  // largest is +-1
  const at::Tensor scaled = at::where(low.lt(0), unit.mul(127).add(128), unit.mul(255));
  return at::where(finite, scaled, 0).clamp(0, 255).to(at::kByte);
}

at::Tensor update_average(at::Tensor average, at::Tensor biased, at::Tensor local_step,
                          const at::Tensor& value, c10::string_view, double decay) {
  if (average.is_cpu() && average.scalar_type() == at::kFloat) {  // without the operators' overhead
    float& sum = *biased.mutable_data_ptr<float>();
    float& count = *local_step.mutable_data_ptr<float>();
    sum -= (sum - value.item<float>()) * static_cast<float>(1 - decay);
    count += 1;
    *average.mutable_data_ptr<float>() = sum / static_cast<float>(1 - std::pow(decay, count));
    return average;
  }
  biased.sub_((biased - value.detach()) * (1 - decay));
  local_step.add_(1);
  return average.copy_(biased / (1 - at::pow(decay, local_step)));
}

}  // namespace belfry::internal

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("scalar_summary(Tensor value, *, str tag) -> Tensor",
        [](const at::Tensor& value, c10::string_view) { return value.detach().clone(); });
  m.def("histogram_summary(Tensor values, *, str tag) -> Tensor",
        [](const at::Tensor& values, c10::string_view) { return values.detach().clone(); });
  m.def("image_summary(Tensor images, *, str tag, int max_images) -> Tensor",
        [](const at::Tensor& images, c10::string_view, int64_t) { return images.detach().clone(); });
  m.def(
      "moving_summary(Tensor(a!) average, Tensor(b!) biased, Tensor(c!) local_step, Tensor value, *, str "
      "tag, "
      "float decay) -> Tensor(a!)");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("moving_summary", belfry::internal::update_average);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("moving_summary", [](at::Tensor average, at::Tensor, at::Tensor, const at::Tensor&, c10::string_view,
                              double) { return average; });
}
