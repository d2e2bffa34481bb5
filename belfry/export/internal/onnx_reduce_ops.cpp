#include <algorithm>

#include "belfry/export/internal/onnx_ops.h"

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// A reduction of `x` over `axes`. In opset 17 ReduceSum takes the axes as an input, the others as an
/// attribute.
OnnxName reduce(OnnxBuilder& out, const std::string& op, const OnnxName& x, const Ints& axes, bool keep) {
  OnnxAttributes attributes{{"keepdims", int64_t{keep}}};
  if (axes.empty()) return x;
  if (op == "ReduceSum") return out.add(op, {x, out.constant(axes)}, attributes);
  attributes.push_back({"axes", axes});
  return out.add(op, {x}, attributes);
}

/// As above, without the transposition that x comes from where the order of what is left allows.
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

/// any and all: the largest and smallest of 0 and 1.
void add_logical(OnnxOps& ops, const std::string& name, const std::string& onnx) {
  ops[name] = [onnx](OnnxCall& call) -> OnnxNames {
    const OnnxName bits = call.out.cast(call.value("self", kBool), kBool, kInt32);
    return {
        call.out.cast(reduce(call.out, onnx, bits, call.axes("dim", call.rank("self")), call.flag("keepdim")),
                      kInt32, kBool)};
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
    return {call.out.add(onnx, {x},
                         {{"axis", call.integer("dim")}, {"keepdims", int64_t{call.flag("keepdim")}}})};
  };
}

OnnxNames var_mean(OnnxCall& call) {
  if (call.has("correction") && call.number("correction") != 0)
    call.unsupported("a variance with a correction");
  OnnxBuilder& out = call.out;
  const OnnxName x = call.value("self");
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const OnnxName centre = reduce(out, "ReduceMean", x, axes, /*keep=*/true);
  const OnnxName d = out.add("Sub", {x, centre});
  return {reduce(out, "ReduceMean", out.add("Mul", {d, d}), axes, keep),
          keep ? centre : out.squeeze(centre, axes)};
}

}  // namespace

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
  add_logical(ops, "aten::any.dims", "ReduceMax");
  add_logical(ops, "aten::all.dims", "ReduceMin");
  add_index(ops, "aten::argmax", "ArgMax");
  add_index(ops, "aten::argmin", "ArgMin");
  ops["aten::var_mean.correction"] = var_mean;
  ops["aten::cumsum"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add(
        "CumSum", {call.value("self", call.result().dtype), call.out.constant(call.integer("dim"), kInt64)})};
  };
}

}  // namespace belfry::internal
