#include <cmath>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;
using Pairs = std::vector<std::pair<const char*, const char*>>;

void add_reduction(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    return {reduce(call.out, tf, call.value("self", call.dtype()), call.dtype(),
                   call.axes("dim", call.rank("self")), call.flag("keepdim"))};
  };
}

TfNames logsumexp(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const TfName x = call.value("self", dtype);
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  // Infinity less infinity is no number: where all are masked, or one is infinite, nothing is taken off.
  const auto most = [&](bool kept) {
    const TfName max = reduce(out, "Max", x, dtype, axes, kept);
    return out.add("SelectV2", {out.add("IsFinite", {max}, dtype), max, call.literal(0)}, dtype);
  };
  const TfName exp = out.add("Exp", {out.add("Sub", {x, most(/*kept=*/true)}, dtype)}, dtype);
  const TfName log = out.add("Log", {reduce(out, "Sum", exp, dtype, axes, keep)}, dtype);
  return {out.add("AddV2", {log, most(keep)}, dtype)};
}

/// How many elements of "self" become one result.
TfName reduced_count(TfCall& call, const TfName& x, const Ints& axes) {
  GraphDefBuilder& out = call.out;
  const TfName shape = out.add("Shape", {x}, call.dtype());
  const TfName sizes =
      out.add("GatherV2", {shape, out.constant(axes), out.axis(0)},
              {{"Tparams", DataType::kInt32}, {"Tindices", DataType::kInt32}, {"Taxis", DataType::kInt32}});
  return out.cast(reduce(out, "Prod", sizes, kInt32, {0}, /*keep=*/false), kInt32, call.dtype());
}

/// Variance and mean.
TfNames moments(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const TfName x = call.value("self");
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const double correction = call.has("correction") ? call.number("correction") : 1;
  const TfName centre = reduce(out, "Mean", x, dtype, axes, /*keep=*/true);
  const TfName squares = call.apply("SquaredDifference", {x, centre});
  const TfName mean = keep ? centre : reduce(out, "Mean", x, dtype, axes, keep);
  if (correction == 0) return {reduce(out, "Mean", squares, dtype, axes, keep), mean};
  const TfName freedom = call.apply(
      "Maximum",
      {call.apply("Sub", {reduced_count(call, x, axes), call.literal(correction)}), call.literal(0)});
  return {call.apply("RealDiv", {reduce(out, "Sum", squares, dtype, axes, keep), freedom}), mean};
}

void add_moments(TfOps& ops) {
  ops["aten::var_mean.correction"] = moments;
  ops["aten::var.correction"] = [](TfCall& call) -> TfNames { return {moments(call)[0]}; };
  ops["aten::std.correction"] = [](TfCall& call) -> TfNames {
    return {call.apply("Sqrt", {moments(call)[0]})};
  };
}

TfNames vector_norm(TfCall& call) {
  const DType dtype = call.dtype();
  const TfName size = call.apply("Abs", {call.value("self", dtype)});
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const double order = call.number("ord");
  const auto over = [&](const char* op, const TfName& x) {
    return reduce(call.out, op, x, dtype, axes, keep);
  };
  if (std::isinf(order)) return {over(order > 0 ? "Max" : "Min", size)};
  if (order == 0) call.unsupported("the norm of order 0");
  if (order == 1) return {over("Sum", size)};
  if (order == 2) return {call.apply("Sqrt", {over("Sum", call.apply("Square", {size}))})};
  const TfName sum = over("Sum", call.apply("Pow", {size, call.literal(order)}));
  return {call.apply("Pow", {sum, call.literal(1 / order)})};
}

void add_index(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    TfName x = call.value("self");
    int64_t axis = 0;
    if (call.has("dim")) {
      axis = call.integer("dim");
    } else {
      x = out.reshape(x, call.dtype("self"), {-1});
    }
    const TfName index = out.add(tf, {x, out.axis(axis)}, call.dtype("self"));
    if (!call.flag("keepdim")) return {index};
    return {out.add("ExpandDims", {index, out.axis(axis)}, kInt64)};
  };
}

}  // namespace

TfName reduce(GraphDefBuilder& out, const std::string& op, const TfName& x, DType dtype,
              const std::vector<int64_t>& axes, bool keep) {
  TfAttributes attributes{{"keep_dims", keep}};
  if (op != "Any" && op != "All") attributes["T"] = tf_dtype(dtype);
  return out.add(op, {x, out.constant(axes)}, attributes);
}

void add_reduce_ops(TfOps& ops) {
  for (const auto& [aten, tf] : Pairs{{"aten::sum.dim_IntList", "Sum"},
                                      {"aten::mean.dim", "Mean"},
                                      {"aten::amax", "Max"},
                                      {"aten::amin", "Min"},
                                      {"aten::any.dims", "Any"},
                                      {"aten::all.dims", "All"}})
    add_reduction(ops, aten, tf);
  ops["belfry::prod"] = [](TfCall& call) -> TfNames {
    return {reduce(call.out, "Prod", call.value("x", call.dtype()), call.dtype(),
                   call.axes("axes", call.rank("x")), call.flag("keep_dims"))};
  };
  ops["aten::logsumexp"] = logsumexp;
  add_moments(ops);
  ops["aten::linalg_vector_norm"] = vector_norm;
  add_index(ops, "aten::argmax", "ArgMax");
  add_index(ops, "aten::argmin", "ArgMin");
  for (const auto& [aten, tf] : Pairs{{"aten::cumsum", "Cumsum"}, {"aten::cumprod", "Cumprod"}}) {
    ops[aten] = [tf = std::string(tf)](TfCall& call) -> TfNames {
      return {call.apply(tf, {call.value("self", call.dtype()), call.out.axis(call.integer("dim"))})};
    };
  }
}

}  // namespace belfry::internal
