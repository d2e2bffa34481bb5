#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/topk.h>
#include <torch/library.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <type_traits>
#include <vector>

namespace belfry {
namespace {

using at::Tensor;

/// Puts the positions of the first k elements of a row, in order, before the others. Of equal elements the
/// lower index is first; NaN counts as the largest value, and as equal to NaN.
template <typename T, bool largest>
void select_first(const T* row, std::vector<int64_t>& positions, int64_t k) {
  const auto precedes = [row](int64_t i, int64_t j) {
    const T a = row[i], b = row[j];
    if (a == b) return i < j;
    if constexpr (!std::is_integral_v<T>) {
      const bool a_nan = a != a, b_nan = b != b;
      if (a_nan && b_nan) return i < j;
      if (a_nan || b_nan) return largest ? a_nan : b_nan;
    }
    return largest ? a > b : a < b;
  };
  std::iota(positions.begin(), positions.end(), int64_t{0});
  const auto begin = positions.begin(), middle = begin + k;
  // A heap of few is cheaper to hold than many are to part.
  if (k * 64 <= static_cast<int64_t>(positions.size())) {
    std::partial_sort(begin, middle, positions.end(), precedes);
    return;
  }
  if (middle != positions.end()) std::nth_element(begin, middle, positions.end(), precedes);
  std::sort(begin, middle, precedes);
}

/// Below it a thread of its own does not pay.
constexpr int64_t kElementsOfTask = 32768;

template <typename T>
void select_rows(const Tensor& rows, Tensor& indices, int64_t k, bool largest) {
  const int64_t size = rows.size(-1);
  const int64_t grain = std::max<int64_t>(1, kElementsOfTask / std::max<int64_t>(size, 1));
  at::parallel_for(0, rows.size(0), grain, [&](int64_t first, int64_t last) {
    std::vector<int64_t> positions(static_cast<size_t>(size));
    for (int64_t i = first; i < last; ++i) {
      const T* row = rows.const_data_ptr<T>() + i * size;
      largest ? select_first<T, true>(row, positions, k) : select_first<T, false>(row, positions, k);
      std::copy_n(positions.begin(), k, indices.mutable_data_ptr<int64_t>() + i * k);
    }
  });
}

/// ATen's own leaves the order among equals to chance.
std::tuple<Tensor, Tensor> ordered_topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
  const bool unselectable = x.is_complex() || x.scalar_type() == at::kBool;
  if (x.is_meta() || x.dim() == 0 || unselectable) return at::topk(x, k, dim, largest, sorted);
  const int64_t size = x.size(dim);
  TORCH_CHECK(k >= 0 && k <= size, "expected k of at most ", size, ", got ", k);
  if (!x.is_cpu()) {
    const Tensor order = std::get<1>(at::sort(x.detach(), /*stable=*/true, dim, /*descending=*/largest));
    const Tensor indices = order.narrow(dim, 0, k);
    return {x.gather(dim, indices), indices};
  }
  const Tensor last = x.detach().movedim(dim, -1).contiguous();
  std::vector<int64_t> sizes = last.sizes().vec();
  sizes.back() = k;
  Tensor indices = at::empty({size == 0 ? 0 : last.numel() / size, k}, x.options().dtype(at::kLong));
  if (indices.numel() > 0) {
    AT_DISPATCH_ALL_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "topk", [&] {
      select_rows<scalar_t>(last.reshape({-1, size}), indices, k, largest);
    });
  }
  const Tensor restored = size == 0 ? at::empty(sizes, indices.options()).movedim(-1, dim)
                                    : indices.reshape(sizes).movedim(-1, dim);
  return {x.gather(dim, restored), restored.contiguous()};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, "
      "Tensor indices)",
      ordered_topk);
}

}  // namespace belfry
