#include <ATen/core/Tensor.h>
#include <torch/library.h>

namespace belfry {
namespace {

using at::Tensor;

void check_value(const Tensor& ref, const Tensor& value) {
  TORCH_CHECK(value.dim() == 0 || value.sizes() == ref.sizes(), "expected a value of the variable's shape ",
              ref.sizes(), ", got ", value.sizes());
}

Tensor assign(Tensor ref, const Tensor& value) {
  check_value(ref, value);
  return ref.copy_(value);
}

Tensor assign_add(Tensor ref, const Tensor& value) {
  check_value(ref, value);
  return ref.add_(value);
}

Tensor assign_sub(Tensor ref, const Tensor& value) {
  check_value(ref, value);
  return ref.sub_(value);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("assign(Tensor(a!) ref, Tensor value) -> Tensor(a!)", assign);
  m.def("assign_add(Tensor(a!) ref, Tensor value) -> Tensor(a!)", assign_add);
  m.def("assign_sub(Tensor(a!) ref, Tensor value) -> Tensor(a!)", assign_sub);
}

}  // namespace belfry
