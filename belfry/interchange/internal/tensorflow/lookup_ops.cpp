#include <algorithm>
#include <numeric>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Elements by index, order, and diagonals. TensorFlow counts indices from the front alone and takes sizes as
// tensors, so positions are made absolute, and shapes of a run computed, by nodes of their own.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

void add_lookups(TfOps& ops) {
  ops["aten::select.int"] = [](TfCall& call) -> TfNames {
    const int64_t rank = call.rank("self"), axis = call.axis("dim", rank), index = call.integer("index");
    const int64_t length = call.shape("self")[static_cast<size_t>(axis)];
    if (index < 0 && length == kDynamic) {
      const TfName x = call.value("self");
      const TfName size = call.out.cast(call.out.sizes(x, call.dtype(), axis, axis + 1), kInt32, kInt64);
      const TfName place = call.out.add("AddV2", {size, call.out.constant(index, kInt64)}, kInt64);
      return {gather(call, x, call.out.reshape(place, kInt64, {}), axis)};
    }
    return {gather(call, call.value("self"), call.out.constant(index < 0 ? index + length : index, kInt64),
                   axis)};
  };
  ops["belfry::gather"] = [](TfCall& call) -> TfNames {
    return {gather(call, call.value("x"), call.value("indices", kInt64), call.integer("axis"))};
  };
  ops["aten::index_select"] = [](TfCall& call) -> TfNames {
    return {gather(call, call.value("self"), call.value("index", kInt64), call.integer("dim"))};
  };
  ops["aten::embedding"] = [](TfCall& call) -> TfNames {
    return {gather(call, call.value("weight"), call.value("indices", kInt64), 0)};
  };
  ops["belfry::boolean_mask"] = [](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    const TfName rows = flatten(out, call.value("x"), call.dtype(), call.rank("x"), 0, call.rank("mask"));
    const TfName places = out.add("Where", {out.reshape(call.value("mask"), kBool, {-1})}, kBool);
    return {gather(call, rows, out.add("Squeeze", {places}, kInt64, {{"squeeze_dims", Ints{1}}}), 0)};
  };
  const auto one_hot = [](TfCall& call, const TfName& depth) -> TfNames {
    const DType dtype = call.dtype();
    return {call.out.add(
        "OneHot",
        {call.value("indices", kInt64), depth, call.out.constant(1, dtype), call.out.constant(0, dtype)},
        dtype, {{"TI", DataType::kInt64}})};
  };
  ops["belfry::one_hot"] = [one_hot](TfCall& call) {
    return one_hot(call, call.out.axis(call.integer("depth")));
  };
  ops["belfry::one_hot.tensor"] = [one_hot](TfCall& call) {
    return one_hot(call, call.value("depth", kInt32));
  };
}

void add_many_indices(TfOps& ops) {
  ops["aten::gather"] = [](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    const int64_t rank = call.rank("self");
    if (rank != call.rank("index") || rank == 0) call.unsupported("a gather of scalars");
    const Ints swap = swap_with_last(call.axis("dim", rank), rank);
    const TfName x = out.transpose(call.value("self"), call.dtype(), swap);
    const TfName index = out.transpose(call.value("index", kInt64), kInt64, swap);
    const Shape &from = call.shape("self"), &at = call.shape("index");
    for (int64_t axis = 0; axis < rank - 1; ++axis) {
      const size_t i = static_cast<size_t>(swap[static_cast<size_t>(axis)]);
      if (from[i] != at[i]) call.unsupported("a gather from a part of the other dimensions");
    }
    const TfName y = out.add("GatherV2", {x, index, out.axis(rank - 1)},
                             {{"Tparams", tf_dtype(call.dtype())},
                              {"Tindices", DataType::kInt64},
                              {"Taxis", DataType::kInt32},
                              {"batch_dims", rank - 1}});
    return {out.transpose(y, call.dtype(), swap)};
  };
  ops["belfry::gather_nd"] = [](TfCall& call) -> TfNames {
    return {call.out.add("GatherNd", {call.value("x"), call.value("indices", kInt64)},
                         {{"Tparams", tf_dtype(call.dtype())}, {"Tindices", DataType::kInt64}})};
  };
  ops["belfry::scatter_nd"] = [](TfCall& call) -> TfNames {
    return {call.out.add(
        "ScatterNd",
        {call.value("indices", kInt32), call.value("updates"), call.out.constant(call.integers("shape"))},
        call.dtype(), {{"Tindices", DataType::kInt32}})};
  };
  ops["aten::nonzero"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Where", {call.value("self")}, call.dtype("self"))};
  };
  ops["belfry::sequence_mask"] = [](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    Ints places(static_cast<size_t>(call.integer("max_length")));
    std::iota(places.begin(), places.end(), 0);
    const TfName lengths = out.add("ExpandDims", {call.value("lengths", kInt64), out.axis(-1)}, kInt64);
    const TfName mask = out.add("Less", {out.cast(out.constant(places), kInt32, kInt64), lengths}, kInt64);
    return {out.cast(mask, kBool, call.dtype())};
  };
}

/// The `count`, int32, first values and indices in order along `axis`; all of them where it is "".
TfNames ordered(TfCall& call, TfName count, bool descending) {
  GraphDefBuilder& out = call.out;
  const int64_t rank = call.rank("self");
  const DType given = call.dtype("self");
  const bool whole = c10::isIntegralType(given, /*includeBool=*/true);
  const DType dtype = whole ? kInt64 : given;  // of unsigned numbers there are no negatives
  TfName x = call.value("self", dtype);
  if (rank == 0) return {call.value("self"), out.constant(0, kInt64)};
  const Ints swap = swap_with_last(call.axis("dim", rank), rank);
  x = out.transpose(x, dtype, swap);
  if (count.empty()) count = out.reshape(out.sizes(x, dtype, rank - 1, rank), kInt32, {});
  // -1 - x of integers, and not -x, which the lowest of them has not.
  const std::string turned = whole ? "Invert" : "Neg";
  if (!descending) x = out.add(turned, {x}, dtype);
  const TfNames results = out.add_multi("TopKV2", {x, count}, 2, {{"T", tf_dtype(dtype)}, {"sorted", true}});
  const TfName values = descending ? results[0] : out.add(turned, {results[0]}, dtype);
  return {out.cast(out.transpose(values, dtype, swap), dtype, given),
          out.cast(out.transpose(results[1], kInt32, swap), kInt32, kInt64)};
}

void add_orders(TfOps& ops) {
  ops["aten::topk"] = [](TfCall& call) {
    return ordered(call, call.out.axis(call.integer("k")), call.flag("largest"));
  };
  ops["belfry::topk.tensor"] = [](TfCall& call) {
    GraphDefBuilder& out = call.out;
    const DType given = call.dtype("x");
    const DType dtype = c10::isIntegralType(given, /*includeBool=*/true) ? kInt64 : given;
    const TfNames results = out.add_multi("TopKV2", {call.value("x", dtype), call.value("k", kInt32)}, 2,
                                          {{"T", tf_dtype(dtype)}, {"sorted", true}});
    return TfNames{out.cast(results[0], dtype, given), out.cast(results[1], kInt32, kInt64)};
  };
  ops["aten::sort.stable"] =
      ops["aten::sort"] = [](TfCall& call) { return ordered(call, "", call.flag("descending")); };
  ops["aten::argsort.stable"] = ops["aten::argsort"] = [](TfCall& call) -> TfNames {
    return {ordered(call, "", call.flag("descending"))[1]};
  };
}

void add_diagonals(TfOps& ops) {
  const auto check = [](const TfCall& call, int64_t rank) {
    if (call.integer("offset") != 0 || call.axis("dim1", rank) != rank - 2 ||
        call.axis("dim2", rank) != rank - 1)
      call.unsupported("a diagonal beside the main one of the last dimensions");
  };
  ops["aten::diag_embed"] = [check](TfCall& call) -> TfNames {
    check(call, call.rank("self") + 1);
    return {call.apply("MatrixDiag", {call.value("self")})};
  };
  ops["aten::diagonal"] = [check](TfCall& call) -> TfNames {
    check(call, call.rank("self"));
    return {call.apply("MatrixDiagPart", {call.value("self")})};
  };
}

}  // namespace

TfName gather(const TfCall& call, const TfName& x, const TfName& indices, int64_t axis) {
  return call.out.add(
      "GatherV2", {x, indices, call.out.axis(axis)},
      {{"Tparams", tf_dtype(call.dtype())}, {"Tindices", DataType::kInt64}, {"Taxis", DataType::kInt32}});
}

std::vector<int64_t> swap_with_last(int64_t axis, int64_t rank) {
  Ints swap(static_cast<size_t>(rank));
  std::iota(swap.begin(), swap.end(), 0);
  if (rank > 0) std::swap(swap[static_cast<size_t>(axis)], swap.back());
  return swap;
}

void add_lookup_ops(TfOps& ops) {
  add_lookups(ops);
  add_many_indices(ops);
  add_orders(ops);
  add_diagonals(ops);
}

}  // namespace belfry::internal
