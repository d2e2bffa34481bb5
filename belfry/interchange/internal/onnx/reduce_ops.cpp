#include <algorithm>
#include <cmath>
#include <numeric>

#include "belfry/interchange/internal/onnx/ops.h"

// Sums, extremes, moments, norms and positions along axes. A reduction of a transposed tensor reduces the
// tensor before the transposition, by the axes there, where what is left keeps its order: image models then
// keep few transpositions.
namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// As `reduce`, without the transposition that x comes from where the order of what is left allows.
OnnxName reduce_moved(OnnxBuilder& out, const std::string& op, const OnnxName& x, const Ints& axes,
                      bool keep) {
  const auto permutation = out.common_permutation({x});
  if (!permutation || keep) return reduce(out, op, x, axes, keep);
  Ints moved, rest;
  for (size_t axis = 0; axis < permutation->size(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
    (reduced ? moved : rest).push_back((*permutation)[axis]);
  }
  if (!std::is_sorted(rest.begin(), rest.end())) return reduce(out, op, x, axes, keep);
  return reduce(out, op, out.untransposed(x), moved, keep);
}

void add_reduction(OnnxOps& ops, const std::string& name, const std::string& onnx) {
  ops[name] = [onnx](OnnxCall& call) -> OnnxNames {
    return {reduce_moved(call.out, onnx, call.value("self", call.result().dtype),
                         call.axes("dim", call.rank("self")), call.flag("keepdim"))};
  };
}

/// True where there is one: their number is not 0. The largest of 0 and 1 would have no value for nothing.
OnnxName any_of(OnnxCall& call, const OnnxName& bools) {
  const OnnxName bits = call.out.cast(bools, kBool, kInt64);
  const OnnxName count =
      reduce(call.out, "ReduceSum", bits, call.axes("dim", call.rank("self")), call.flag("keepdim"));
  return call.out.cast(count, kInt64, kBool);
}

void add_logical(OnnxOps& ops) {
  ops["aten::any.dims"] = [](OnnxCall& call) -> OnnxNames {
    return {any_of(call, call.value("self", kBool))};
  };
  ops["aten::all.dims"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName missing = call.out.elementwise("Not", {call.value("self", kBool)});
    return {call.out.add("Not", {any_of(call, missing)})};
  };
}

void add_index(OnnxOps& ops, const std::string& name, const std::string& onnx) {
  ops[name] = [onnx](OnnxCall& call) -> OnnxNames {
    OnnxName x = call.value("self");
    if (call.dtype("self") == kBool) x = call.out.cast(x, kBool, kInt32);
    if (!call.has("dim")) {
      return {
          call.out.add(onnx, {call.out.reshape(x, {-1})}, {{"axis", int64_t{0}}, {"keepdims", int64_t{0}}})};
    }
    // ONNX Runtime keeps an axis that is counted from the end where there are no elements.
    const int64_t axis = call.axis("dim", call.rank("self"));
    return {call.out.add(onnx, {x}, {{"axis", axis}, {"keepdims", int64_t{call.flag("keepdim")}}})};
  };
}

/// How many elements of "self" become one result, as a float.
OnnxName reduced_count(OnnxCall& call, const Ints& axes, DType dtype) {
  OnnxBuilder& out = call.out;
  int64_t count = 1;
  for (int64_t axis : axes) {
    const int64_t size = call.shape("self")[static_cast<size_t>(axis)];
    count = size == kDynamic || count == kDynamic ? kDynamic : count * size;
  }
  if (count != kDynamic) return out.constant(count, dtype);
  const OnnxName sizes = out.add("Gather", {out.add("Shape", {call.value("self")}), out.constant(axes)});
  return out.cast(reduce(out, "ReduceProd", sizes, {0}, /*keep=*/false), kInt64, dtype);
}

struct Moments {
  OnnxName variance, mean;
};
Moments moments(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName x = call.value("self");
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const double correction = call.has("correction") ? call.number("correction") : 1;
  const OnnxName centre = reduce(out, "ReduceMean", x, axes, /*keep=*/true);
  const OnnxName d = out.add("Sub", {x, centre}), squares = out.add("Mul", {d, d});
  const OnnxName mean = keep ? centre : out.squeeze(centre, axes);
  if (correction == 0) return {reduce(out, "ReduceMean", squares, axes, keep), mean};
  const OnnxName count = out.add("Sub", {reduced_count(call, axes, dtype), out.constant(correction, dtype)});
  const OnnxName freedom = out.add("Max", {count, out.constant(0, dtype)});
  return {out.add("Div", {reduce(out, "ReduceSum", squares, axes, keep), freedom}), mean};
}

void add_moments(OnnxOps& ops) {
  ops["aten::var_mean.correction"] = [](OnnxCall& call) -> OnnxNames {
    const Moments both = moments(call);
    return {both.variance, both.mean};
  };
  ops["aten::var.correction"] = [](OnnxCall& call) -> OnnxNames { return {moments(call).variance}; };
  ops["aten::std.correction"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Sqrt", {moments(call).variance})};
  };
}

OnnxNames vector_norm(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName x = call.value("self", dtype);
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const double order = call.number("ord");
  if (order == 2) return {reduce_moved(out, "ReduceL2", x, axes, keep)};
  if (order == 1) return {reduce_moved(out, "ReduceL1", x, axes, keep)};
  const OnnxName size = out.elementwise("Abs", {x});
  if (std::isinf(order)) return {reduce_moved(out, order > 0 ? "ReduceMax" : "ReduceMin", size, axes, keep)};
  if (order == 0) call.unsupported("the norm of order 0");
  const OnnxName powers = out.elementwise("Pow", {size, out.constant(order, dtype)});
  return {out.add("Pow", {reduce(out, "ReduceSum", powers, axes, keep), out.constant(1 / order, dtype)})};
}

/// The product of each row of a triangle: ONNX sums cumulatively, but does not multiply.
OnnxNames cumprod(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const int64_t rank = call.rank("self");
  OnnxName x = call.value("self", dtype);
  if (rank == 0) return {x};
  Ints swap(static_cast<size_t>(rank));
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[static_cast<size_t>(call.axis("dim", rank))], swap.back());
  x = out.transpose(x, swap);
  const OnnxName size = out.squeeze(out.sizes(x, rank - 1, rank), {0});
  const OnnxName places = out.add("Range", {out.constant(0, kInt64), size, out.constant(1, kInt64)});
  const OnnxName before = out.add("GreaterOrEqual", {out.unsqueeze(places, {1}), out.unsqueeze(places, {0})});
  const OnnxName rows = out.add("Where", {before, out.unsqueeze(x, {rank - 1}), out.constant(1, dtype)});
  return {out.transpose(reduce(out, "ReduceProd", rows, {rank}, /*keep=*/false), swap)};
}

}  // namespace

OnnxName reduce(OnnxBuilder& out, const std::string& op, const OnnxName& x, const std::vector<int64_t>& axes,
                bool keep) {
  OnnxAttributes attributes{{"keepdims", int64_t{keep}}};
  if (axes.empty()) {  // of a scalar, which is then the only element
    if (op == "ReduceL1" || op == "ReduceL2") return out.add("Abs", {x});
    return x;
  }
  if (op == "ReduceSum") return out.add(op, {x, out.constant(axes)}, attributes);
  attributes.push_back({"axes", axes});
  return out.add(op, {x}, attributes);
}

void add_reduce_ops(OnnxOps& ops) {
  add_reduction(ops, "aten::sum.dim_IntList", "ReduceSum");
  add_reduction(ops, "aten::mean.dim", "ReduceMean");
  add_reduction(ops, "aten::amax", "ReduceMax");
  add_reduction(ops, "aten::amin", "ReduceMin");
  add_reduction(ops, "aten::logsumexp", "ReduceLogSumExp");
  ops["belfry::prod"] = [](OnnxCall& call) -> OnnxNames {
    return {reduce(call.out, "ReduceProd", call.value("x", call.result().dtype),
                   call.axes("axes", call.rank("x")), call.flag("keep_dims"))};
  };
  add_logical(ops);
  add_index(ops, "aten::argmax", "ArgMax");
  add_index(ops, "aten::argmin", "ArgMin");
  add_moments(ops);
  ops["aten::linalg_vector_norm"] = vector_norm;
  ops["aten::cumprod"] = cumprod;
  ops["aten::cumsum"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add(
        "CumSum", {call.value("self", call.result().dtype), call.out.constant(call.integer("dim"), kInt64)})};
  };
}

}  // namespace belfry::internal
