#include <algorithm>
#include <utility>

#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"

// Products of activations as oneDNN's batched products. Transposed operands and heads that lie apart are
// taken as they lie where a fast implementation does, else from a dense copy. Weights are
// lower_product.cpp's.

namespace belfry::internal {
namespace {

using dnnl::memory;

/// With dimensions of size 1 in front.
TensorView with_rank(const TensorView& x, int64_t rank) {
  const auto added = static_cast<size_t>(rank - x.dim());
  Sizes sizes(added, 1), strides(added, x.numel());
  sizes.insert(sizes.end(), x.sizes().begin(), x.sizes().end());
  strides.insert(strides.end(), x.strides().begin(), x.strides().end());
  return x.as_strided(sizes, strides, x.offset());
}

/// Whether leading dimensions are the same, or 1 on one side.
bool broadcasts(const Sizes& x, const Sizes& y) {
  for (size_t i = 0; i + 2 < x.size(); ++i) {
    if (x[i] != y[i] && x[i] != 1 && y[i] != 1) return false;
  }
  return true;
}

bool lower_matmul(ProgramBuilder& builder, const Node& node) {
  const Tensor &a = node.inputs()[0], &b = node.inputs()[1];
  if (a.rank() < 2 || b.rank() < 2 || a.dtype() != b.dtype() || node.outputs()[0].dtype != a.dtype() ||
      !supported({builder.value(a), builder.value(b)}))
    return false;
  const int64_t rank = std::max(a.rank(), b.rank());
  const TensorView result = with_rank(builder.make_output(node.output()), rank);
  const auto describe = [&](const TensorView& x, const TensorView& y) {
    return dnnl::matmul::primitive_desc(dnnl::matmul::desc(desc_of(x), desc_of(y), desc_of(result)),
                                        attributes({}), cpu_engine());
  };
  TensorView x = with_rank(builder.value(a), rank), y = with_rank(builder.value(b), rank);
  if (!broadcasts(x.sizes(), y.sizes()) || rank > 6) return false;
  const TensorView dense_x = TensorView(nullptr, x.type(), x.sizes()),
                   dense_y = TensorView(nullptr, y.type(), y.sizes());
  // The fewest copies that a fast implementation takes.
  dnnl::matmul::primitive_desc description;
  bool copies_x = false, copies_y = false, found = false;
  for (const auto& [with_x, with_y] : {std::pair(false, false), {false, true}, {true, false}, {true, true}}) {
    description = describe(with_x ? dense_x : x, with_y ? dense_y : y);
    copies_x = with_x;
    copies_y = with_y;
    found = is_usable(description);
    if (found) break;
  }
  if (!found) return false;
  if (copies_x) x = with_rank(builder.dense(a), rank);
  if (copies_y) y = with_rank(builder.dense(b), rank);
  auto primitive = make_primitive<dnnl::matmul>(description);
  primitive->add(DNNL_ARG_SRC, desc_of(x), x);
  primitive->add(DNNL_ARG_WEIGHTS, desc_of(y), y);
  primitive->add(DNNL_ARG_DST, desc_of(result), result);
  emit(builder, node, std::move(primitive), {result});
  builder.define(node.output(), result.view(node.outputs()[0].shape));
  return true;
}

}  // namespace

void add_matmul_lowerings(Lowerings& table) {
  table["aten::matmul"].push_back(lower_matmul);
}

}  // namespace belfry::internal
