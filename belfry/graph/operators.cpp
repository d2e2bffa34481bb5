#include <torch/library.h>

// Schemas of the operators that only a graph has: they give nodes named arguments to print, compare and save,
// and have no kernels, as the executor does them itself (NodeKind says which).
TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("placeholder(Tensor? default, *, ScalarType dtype, int[] shape) -> Tensor");
  m.def("constant(*, Tensor value) -> Tensor");
  m.def("variable(*, ScalarType dtype, int[] shape, int[] memory_order) -> Tensor");
  m.def("identity(Tensor input) -> Tensor");
  m.def("group(Tensor[] inputs) -> ()");
  m.def("gradients(Tensor loss, Tensor? grad_loss, Tensor[] xs) -> Tensor[]");
}
