#include <algorithm>
#include <numeric>

#include "belfry/export/internal/graph_def_builder.h"

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

TfNames same(TfCall& call) {
  return {call.value("self")};
}

TfName expand_dims(GraphDefBuilder& out, const TfName& x, DType dtype, int64_t axis) {
  return out.add("ExpandDims", {x, out.axis(axis)}, dtype);
}
TfName squeeze(GraphDefBuilder& out, const TfName& x, DType dtype, const Ints& axes) {
  return axes.empty() ? x : out.add("Squeeze", {x}, dtype, {{"squeeze_dims", axes}});
}

/// `x`, of rank `rank`, with the dimensions [begin, end) made one.
TfName flatten(GraphDefBuilder& out, const TfName& x, DType dtype, int64_t rank, int64_t begin, int64_t end) {
  const TfName shape = out.concat(
      {out.sizes(x, dtype, 0, begin), out.constant(Ints{-1}), out.sizes(x, dtype, end, rank)}, kInt32, 0);
  return out.add("Reshape", {x, shape}, dtype);
}

void add_shapes(TfOps& ops) {
  for (const auto& [ours, tf] : {std::pair("belfry::shape", "Shape"), std::pair("belfry::size", "Size")}) {
    ops[ours] = [tf = std::string(tf)](TfCall& call) -> TfNames {
      return {call.out.add(tf, {call.value("x")}, call.dtype("x"), {{"out_type", DataType::kInt64}})};
    };
  }
  ops["aten::reshape"] = [](TfCall& call) -> TfNames {
    return {call.out.reshape(call.value("self"), call.dtype(), call.integers("shape"))};
  };
  ops["aten::view"] = [](TfCall& call) -> TfNames {
    return {call.out.reshape(call.value("self"), call.dtype(), call.integers("size"))};
  };
  ops["belfry::reshape"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Reshape", {call.value("x"), call.value("shape", kInt64)}, call.dtype(),
                         {{"Tshape", DataType::kInt64}})};
  };
  ops["aten::flatten.using_ints"] = [](TfCall& call) -> TfNames {
    const int64_t rank = call.rank("self");
    if (rank == 0) return {call.out.reshape(call.value("self"), call.dtype(), {1})};
    return {flatten(call.out, call.value("self"), call.dtype(), rank, call.axis("start_dim", rank),
                    call.axis("end_dim", rank) + 1)};
  };
  ops["aten::unsqueeze"] = [](TfCall& call) -> TfNames {
    return {expand_dims(call.out, call.value("self"), call.dtype(), call.integer("dim"))};
  };
  const TfEmit squeeze_ones = [](TfCall& call) -> TfNames {
    Ints axes = call.node().attribute("dim").isInt() ? Ints{call.integer("dim")} : call.integers("dim");
    for (int64_t& axis : axes) axis += axis < 0 ? call.rank("self") : 0;
    std::erase_if(axes, [&](int64_t axis) { return call.shape("self")[static_cast<size_t>(axis)] != 1; });
    return {squeeze(call.out, call.value("self"), call.dtype(), axes)};
  };
  ops["aten::squeeze.dims"] = squeeze_ones;
  ops["aten::squeeze.dim"] = squeeze_ones;
}

TfNames swap_axes(TfCall& call, int64_t a, int64_t b) {
  Ints permutation(static_cast<size_t>(call.rank("self")));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::swap(permutation[static_cast<size_t>(a)], permutation[static_cast<size_t>(b)]);
  return {call.out.transpose(call.value("self"), call.dtype(), permutation)};
}

void add_transpositions(TfOps& ops) {
  ops["aten::permute"] = [](TfCall& call) -> TfNames {
    return {call.out.transpose(call.value("self"), call.dtype(), call.axes("dims", call.rank("self")))};
  };
  ops["aten::transpose.int"] = [](TfCall& call) {
    const int64_t rank = call.rank("self");
    return swap_axes(call, call.axis("dim0", rank), call.axis("dim1", rank));
  };
  ops["aten::mT"] = [](TfCall& call) {
    return swap_axes(call, call.rank("self") - 2, call.rank("self") - 1);
  };
  ops["aten::t"] = [](TfCall& call) { return call.rank("self") < 2 ? same(call) : swap_axes(call, 0, 1); };
}

/// Sizes to broadcast to, where -1 keeps one of `x`.
TfName broadcast_sizes(TfCall& call, const TfName& x, const Ints& size) {
  GraphDefBuilder& out = call.out;
  const int64_t added = static_cast<int64_t>(size.size()) - call.rank("self");
  TfNames parts;
  for (size_t i = 0; i < size.size(); ++i) {
    const int64_t axis = static_cast<int64_t>(i) - added;
    parts.push_back(size[i] == -1 ? out.sizes(x, call.dtype(), axis, axis + 1) : out.constant(Ints{size[i]}));
  }
  return parts.size() == 1 ? parts[0] : out.concat(parts, kInt32, 0);
}

void add_repetitions(TfOps& ops) {
  ops["aten::expand"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("self");
    const Ints size = call.integers("size");
    if (size.empty()) return {x};
    return {call.out.add("BroadcastTo", {x, broadcast_sizes(call, x, size)}, call.dtype())};
  };
  ops["aten::repeat"] = [](TfCall& call) -> TfNames {
    const Ints repeats = call.integers("repeats");
    TfName x = call.value("self");
    for (int64_t rank = call.rank("self"); rank < static_cast<int64_t>(repeats.size()); ++rank)
      x = expand_dims(call.out, x, call.dtype(), 0);
    return {call.out.add("Tile", {x, call.out.constant(repeats)}, call.dtype())};
  };
  for (const auto& [aten, tf] :
       {std::pair("aten::zeros_like", "ZerosLike"), std::pair("aten::ones_like", "OnesLike")}) {
    ops[aten] = [tf = std::string(tf)](TfCall& call) -> TfNames {
      return {call.out.add(tf, {call.value("self", call.dtype())}, call.dtype())};
    };
  }
  ops["belfry::range"] = [](TfCall& call) -> TfNames {
    return {call.out.add(
        "Range", {call.out.constant(0, kInt64), call.value("limit", kInt64), call.out.constant(1, kInt64)},
        {{"Tidx", DataType::kInt64}})};
  };
}

void add_parts(TfOps& ops) {
  ops["aten::cat"] = [](TfCall& call) -> TfNames {
    TfNames parts;
    for (const Tensor& tensor : call.tensors("tensors")) {
      if (tensor.shape() != Shape{0}) parts.push_back(call.value(tensor, call.dtype()));
    }
    return {parts.size() == 1 ? parts[0] : call.out.concat(parts, call.dtype(), call.integer("dim"))};
  };
  ops["aten::stack"] = [](TfCall& call) -> TfNames {
    TfNames parts;
    for (const Tensor& tensor : call.tensors("tensors")) parts.push_back(call.value(tensor, call.dtype()));
    return {call.out.add("Pack", parts, call.dtype(),
                         {{"N", static_cast<int64_t>(parts.size())}, {"axis", call.integer("dim")}})};
  };
  ops["belfry::split"] = [](TfCall& call) {
    return call.out.add_multi("Split", {call.out.axis(call.integer("axis")), call.value("x")},
                              call.node().outputs().size(),
                              {{"T", tf_dtype(call.dtype())}, {"num_split", call.integer("count")}});
  };
  ops["aten::split_with_sizes"] = [](TfCall& call) {
    const Ints sizes = call.integers("split_sizes");
    return call.out.add_multi(
        "SplitV", {call.value("self"), call.out.constant(sizes), call.out.axis(call.integer("dim"))},
        sizes.size(),
        {{"T", tf_dtype(call.dtype())},
         {"Tlen", DataType::kInt32},
         {"num_split", static_cast<int64_t>(sizes.size())}});
  };
  ops["aten::unbind.int"] = [](TfCall& call) {
    const size_t count = call.node().outputs().size();
    return call.out.add_multi(
        "Unpack", {call.value("self")}, count,
        {{"T", tf_dtype(call.dtype())}, {"num", static_cast<int64_t>(count)}, {"axis", call.integer("dim")}});
  };
}

TfName gather(TfCall& call, const TfName& x, const TfName& indices, int64_t axis) {
  return call.out.add(
      "GatherV2", {x, indices, call.out.axis(axis)},
      {{"Tparams", tf_dtype(call.dtype())}, {"Tindices", DataType::kInt64}, {"Taxis", DataType::kInt32}});
}

void add_slices(TfOps& ops) {
  ops["belfry::slice"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Slice",
                         {call.value("x"), call.out.constant(call.integers("begin")),
                          call.out.constant(call.integers("size"))},
                         call.dtype(), {{"Index", DataType::kInt32}})};
  };
  ops["aten::flip"] = [](TfCall& call) -> TfNames {
    return {call.out.add("ReverseV2", {call.value("self"), call.out.constant(call.integers("dims"))},
                         call.dtype())};
  };
  ops["aten::select.int"] = [](TfCall& call) -> TfNames {
    const int64_t rank = call.rank("self"), axis = call.axis("dim", rank), index = call.integer("index");
    const int64_t length = call.shape("self")[static_cast<size_t>(axis)];
    if (index < 0 && length == kDynamic) {
      if (index != -1) call.unsupported("an index from the end of a dynamic size");
      const TfName reversed =
          call.out.add("ReverseV2", {call.value("self"), call.out.constant(Ints{axis})}, call.dtype());
      return {gather(call, reversed, call.out.constant(0, kInt64), axis)};
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
    return {gather(call, rows, squeeze(out, places, kInt64, {1}), 0)};
  };
  ops["belfry::one_hot"] = [](TfCall& call) -> TfNames {
    const DType dtype = call.dtype();
    return {call.out.add("OneHot",
                         {call.value("indices", kInt64), call.out.axis(call.integer("depth")),
                          call.out.constant(1, dtype), call.out.constant(0, dtype)},
                         dtype, {{"TI", DataType::kInt64}})};
  };
  ops["aten::topk"] = [](TfCall& call) -> TfNames {
    if (call.axis("dim", call.rank("self")) != call.rank("self") - 1 || !call.flag("largest"))
      call.unsupported("a topk of the smallest, or along another dimension than the last");
    const TfNames results =
        call.out.add_multi("TopKV2", {call.value("self"), call.out.axis(call.integer("k"))}, 2,
                           {{"T", tf_dtype(call.dtype())}, {"sorted", call.flag("sorted")}});
    return {results[0], call.out.cast(results[1], kInt32, kInt64)};
  };
}

TfName pad(TfCall& call, const TfName& x, const Ints& paddings, const std::string& mode,
           const c10::Scalar& value) {
  GraphDefBuilder& out = call.out;
  const TfName sides = out.reshape(out.constant(paddings), kInt32, {-1, 2});
  if (mode == "constant")
    return out.add("PadV2", {x, sides, out.constant(value, call.dtype())}, call.dtype());
  return out.add("MirrorPad", {x, sides}, call.dtype(),
                 {{"mode", std::string(mode == "reflect" ? "REFLECT" : "SYMMETRIC")}});
}

void add_pads(TfOps& ops) {
  ops["belfry::pad"] = [](TfCall& call) -> TfNames {
    return {pad(call, call.value("x"), call.integers("paddings"), call.text("mode"), call.scalar("value"))};
  };
  ops["aten::constant_pad_nd"] = [](TfCall& call) -> TfNames {
    const Ints last_first = call.integers("pad");
    Ints paddings(static_cast<size_t>(2 * call.rank("self")));
    for (size_t i = 0; i + 1 < last_first.size(); i += 2) {
      paddings[paddings.size() - i - 2] = last_first[i];
      paddings[paddings.size() - i - 1] = last_first[i + 1];
    }
    return {pad(call, call.value("self"), paddings, "constant", call.scalar("value"))};
  };
}

}  // namespace

void add_array_ops(TfOps& ops) {
  for (const char* name : {"aten::detach", "aten::contiguous", "aten::clone", "aten::alias"})
    ops[name] = same;
  ops["aten::_to_copy"] = [](TfCall& call) -> TfNames { return {call.value("self", call.dtype())}; };
  add_shapes(ops);
  add_transpositions(ops);
  add_repetitions(ops);
  add_parts(ops);
  add_slices(ops);
  add_pads(ops);
}

}  // namespace belfry::internal
