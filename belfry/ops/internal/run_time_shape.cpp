#include "belfry/ops/internal/run_time_shape.h"

#include "belfry/graph/shape_inference.h"

namespace belfry::internal {
namespace {

void check_shape_tensor(const at::Tensor& shape, at::IntArrayRef known) {
  TORCH_CHECK(shape.dim() == 1 && at::isIntegralType(shape.scalar_type(), /*includeBool=*/false),
              "expected a shape that is a list of integers, got ", shape.scalar_type(), " ", shape.sizes());
  constexpr int64_t kMostDimensions = 64;  // LibTorch's
  TORCH_CHECK(shape.size(0) <= kMostDimensions, "expected a result of a rank that the graph knows, at most ",
              kMostDimensions, ", got ", shape.size(0));
  TORCH_CHECK(known.empty() || static_cast<int64_t>(known.size()) == shape.size(0),
              "expected known sizes for a shape of rank ", shape.size(0), ", got ", known);
}

}  // namespace

std::vector<int64_t> run_time_sizes(const at::Tensor& shape, at::IntArrayRef known) {
  check_shape_tensor(shape, known);
  const at::Tensor sizes = shape.to(at::kCPU, at::kLong).contiguous();
  return {sizes.data_ptr<int64_t>(), sizes.data_ptr<int64_t>() + sizes.numel()};
}

std::vector<int64_t> sizes_to_infer(const at::Tensor& shape, at::IntArrayRef known) {
  check_shape_tensor(shape, known);
  std::vector<int64_t> sizes = known.vec();
  if (sizes.empty()) sizes.assign(static_cast<size_t>(shape.size(0)), -1);
  for (int64_t& size : sizes) size = size < 0 ? unknown_size() : size;
  return sizes;
}

at::Tensor check_known_sizes(const at::Tensor& result, at::IntArrayRef known) {
  for (size_t i = 0; i < known.size(); ++i) {
    TORCH_CHECK_VALUE(known[i] < 0 || known[i] == result.size(static_cast<int64_t>(i)),
                      "expected a result of the known sizes ", known, ", got ", result.sizes());
  }
  return result;
}

}  // namespace belfry::internal
