#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "belfry/interchange/internal/onnx/ops.h"

// Elements by index, order, and diagonals.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

void add_lookups(OnnxOps& ops) {
  ops["belfry::gather"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Gather", {call.value("x"), call.value("indices", kInt64)},
                         {{"axis", call.integer("axis")}})};
  };
  ops["aten::index_select"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Gather", {call.value("self"), call.value("index", kInt64)},
                         {{"axis", call.integer("dim")}})};
  };
  ops["aten::gather"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("GatherElements", {call.value("self"), call.value("index", kInt64)},
                         {{"axis", call.integer("dim")}})};
  };
  ops["aten::embedding"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Gather", {call.value("weight"), call.value("indices", kInt64)})};
  };
  ops["belfry::boolean_mask"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName rows = flatten(call.out, call.value("x"), call.shape("x"), 0, call.rank("mask"));
    const OnnxName mask = call.out.reshape(call.value("mask"), {-1});
    return {call.out.add("Compress", {rows, mask}, {{"axis", int64_t{0}}})};
  };
  // Unlike ONNX's OneHot, no index counts from the end.
  ops["belfry::one_hot"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName indices = call.out.unsqueeze(call.value("indices", kInt64), {call.rank("indices")});
    const OnnxName classes = call.out.constant(at::arange(call.integer("depth"), at::kLong));
    return {call.out.cast(call.out.add("Equal", {indices, classes}), kBool, call.result().dtype)};
  };
  ops["belfry::one_hot.tensor"] = [](OnnxCall& call) -> OnnxNames {
    OnnxBuilder& out = call.out;
    const OnnxName indices = out.unsqueeze(call.value("indices", kInt64), {call.rank("indices")});
    const OnnxName classes =
        out.add("Range", {out.constant(0, kInt64), call.value("depth", kInt64), out.constant(1, kInt64)});
    return {out.cast(out.add("Equal", {indices, classes}), kBool, call.result().dtype)};
  };
  ops["belfry::topk.tensor"] = [](OnnxCall& call) {
    return call.out.add_multi("TopK", {call.value("x"), call.out.reshape(call.value("k", kInt64), {1})}, 2,
                              {{"axis", int64_t{-1}}, {"largest", int64_t{1}}, {"sorted", int64_t{1}}});
  };
  ops["aten::topk"] = [](OnnxCall& call) {
    return call.out.add_multi("TopK", {call.value("self"), call.out.constant(Ints{call.integer("k")})}, 2,
                              {{"axis", call.integer("dim")},
                               {"largest", int64_t{call.flag("largest")}},
                               {"sorted", int64_t{1}}});  // without it runtimes order as they like
  };
}

void add_many_indices(OnnxOps& ops) {
  ops["belfry::gather_nd"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("GatherND", {call.value("x"), call.value("indices", kInt64)})};
  };
  ops["belfry::scatter_nd"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName zeros = call.out.constant(at::zeros(call.integers("shape"), call.result().dtype));
    return {call.out.add("ScatterND", {zeros, call.value("indices", kInt64), call.value("updates")},
                         {{"reduction", "add"}})};
  };
  ops["aten::nonzero"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.transpose(call.out.add("NonZero", {call.value("self")}), {1, 0})};
  };
  ops["belfry::sequence_mask"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName lengths = call.out.unsqueeze(call.value("lengths", kInt64), {call.rank("lengths")});
    const OnnxName places = call.out.constant(at::arange(call.integer("max_length"), at::kLong));
    return {call.out.cast(call.out.add("Less", {places, lengths}), kBool, call.result().dtype)};
  };
}

/// All values and indices in order. TopK keeps the order of equal elements, in either direction.
OnnxNames sort(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("self");
  const DType dtype = call.dtype("self");
  if (rank == 0) return {call.value("self"), out.constant(0, kInt64)};
  const int64_t axis = call.axis("dim", rank), size = call.shape("self")[static_cast<size_t>(axis)];
  const bool small = dtype == kBool || (c10::isIntegralType(dtype, false) && c10::elementSize(dtype) < 4);
  const DType sorted = small ? kInt32 : dtype;  // runtimes have TopK of few types
  const OnnxName x = call.value("self", sorted);
  const OnnxName count = size == kDynamic ? out.sizes(x, axis, axis + 1) : out.constant(Ints{size});
  OnnxNames results =
      out.add_multi("TopK", {x, count}, 2, {{"axis", axis}, {"largest", int64_t{call.flag("descending")}}});
  results[0] = out.cast(results[0], sorted, dtype);
  return results;
}

void add_orders(OnnxOps& ops) {
  ops["aten::sort.stable"] = ops["aten::sort"] = sort;
  ops["aten::argsort.stable"] =
      ops["aten::argsort"] = [](OnnxCall& call) -> OnnxNames { return {sort(call)[1]}; };
}

bool is_of_matrices(const OnnxCall& call, int64_t rank) {
  return call.integer("offset") == 0 && call.axis("dim1", rank) == rank - 2 &&
         call.axis("dim2", rank) == rank - 1;
}

/// 0, 1, ... below the size at run time of dimension `axis` of `x`.
OnnxName places(OnnxBuilder& out, const OnnxName& x, int64_t axis) {
  const OnnxName size = out.squeeze(out.sizes(x, axis, axis + 1), {0});
  return out.add("Range", {out.constant(0, kInt64), size, out.constant(1, kInt64)});
}

OnnxNames diagonal_matrices(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("self");
  if (!is_of_matrices(call, rank + 1))
    call.unsupported("a diagonal beside the main one of the last dimensions");
  const OnnxName x = call.value("self"), index = places(out, x, rank - 1);
  const OnnxName on = out.add("Equal", {out.unsqueeze(index, {1}), out.unsqueeze(index, {0})});
  return {out.add("Where", {on, out.unsqueeze(x, {rank}), out.constant(0, call.result().dtype)})};
}

/// Every (columns + 1)-th element of the matrices as lists.
OnnxNames diagonals(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("self");
  if (!is_of_matrices(call, rank)) call.unsupported("a diagonal beside the main one of the last dimensions");
  const OnnxName x = call.value("self");
  const OnnxName rows = out.squeeze(out.sizes(x, rank - 2, rank - 1), {0});
  const OnnxName columns = out.squeeze(out.sizes(x, rank - 1, rank), {0}), one = out.constant(1, kInt64);
  const OnnxName count = out.add("Min", {rows, columns});
  const OnnxName places = out.add("Range", {out.constant(0, kInt64), count, one});
  const OnnxName indices = out.add("Mul", {places, out.add("Add", {columns, one})});
  const OnnxName lists = flatten(out, x, call.shape("self"), rank - 2, rank);
  return {out.add("Gather", {lists, indices}, {{"axis", rank - 2}})};
}

}  // namespace

void add_lookup_ops(OnnxOps& ops) {
  add_lookups(ops);
  add_many_indices(ops);
  add_orders(ops);
  ops["aten::diag_embed"] = diagonal_matrices;
  ops["aten::diagonal"] = diagonals;
}

}  // namespace belfry::internal
