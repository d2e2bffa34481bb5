#include "belfry/inference/internal/numbers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/all.h>

#include <algorithm>
#include <unordered_map>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lanes.h"

namespace belfry::internal {
namespace {

constexpr float kLimit = 0x1p64f;

// Twice the limit's exponent overflows, 0 times that or NaN is NaN, and a sum that was NaN stays it: products
// and sums, as compilers make slow code of vectors of comparisons (1.1 ns a number, this 0.02).
template <Numbers numbers>
BELFRY_INLINE bool all_in(const float* x, int64_t count) {
  constexpr int64_t kSums = 4;
  const Lanes zero = {};
  Lanes sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums * kLanes <= count; i += kSums * kLanes) {
    for (int64_t k = 0; k < kSums; ++k) {
      Lanes v;
      load(x + i + k * kLanes, v);
      if constexpr (numbers == Numbers::kNoNaN) v = v < zero ? zero : v;
      sums[k] += v * kLimit * 0.f;
    }
  }
  const Lanes sum = sums[0] + sums[1] + sums[2] + sums[3];
  float total = 0;
  for (int64_t k = 0; k < kLanes; ++k) total += sum[k];
  for (; i < count; ++i) total += (numbers == Numbers::kNoNaN && x[i] < 0 ? 0 : x[i]) * kLimit * 0.f;
  return total == 0;
}

template <Numbers numbers>
bool all_in_steps(const float* x, int64_t count) {
  constexpr int64_t kStep = 1 << 14;  // the first wrong one ends it soon
  for (int64_t first = 0; first < count; first += kStep) {
    bool good = true;
    run_widest([&] { good = all_in<numbers>(x + first, std::min(kStep, count - first)); });
    if (!good) return false;
  }
  return true;
}

const std::unordered_map<std::string_view, Numbers>& needs() {
  static const std::unordered_map<std::string_view, Numbers> table = {
      {"aten::layer_norm", Numbers::kOrdinary},
      {"belfry::fused_conv2d", Numbers::kOrdinary},  // infinities times the zeros of its padding
      {"aten::scaled_dot_product_attention", Numbers::kNoNaN},
      {"belfry::max_pool2d", Numbers::kOrdinary},
  };
  return table;
}

Numbers needed_by(const Node& node) {
  if (node.kind() != NodeKind::kCall) return Numbers::kAny;
  const auto fused = fused_op(node);
  if ((fused && fused->has_activation()) || activation_of(node)) return Numbers::kOrdinary;
  const auto found = needs().find(node.op_name());
  return found == needs().end() ? Numbers::kAny : found->second;
}

}  // namespace

bool all_are(Numbers numbers, const at::Tensor& tensor) {
  if (numbers == Numbers::kAny || !tensor.is_floating_point() || tensor.numel() == 0) return true;
  if (tensor.scalar_type() == at::kFloat && tensor.is_contiguous()) {
    const float* data = tensor.const_data_ptr<float>();
    return numbers == Numbers::kNoNaN ? all_in_steps<Numbers::kNoNaN>(data, tensor.numel())
                                      : all_in_steps<Numbers::kOrdinary>(data, tensor.numel());
  }
  const at::Tensor good = tensor <= static_cast<double>(kLimit);
  return (numbers == Numbers::kNoNaN ? good : good & (tensor >= -static_cast<double>(kLimit)))
      .all()
      .item<bool>();
}

NeededNumbers needed_numbers(const Function& graph) {
  NeededNumbers needed;
  std::vector<const Node*> fused;
  for (const Node* node : graph.calls()) {
    needed.feeds = std::max(needed.feeds, needed_by(*node));
    if (fused_op(*node)) fused.push_back(node);
  }
  if (needed.feeds != Numbers::kOrdinary) return needed;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    if (std::ranges::any_of(fused, [&](const Node* node) {
          return std::ranges::find(node->inputs(), graph.weights[i].tensor) != node->inputs().end();
        }))
      needed.weights.push_back(i);
  }
  return needed;
}

}  // namespace belfry::internal
