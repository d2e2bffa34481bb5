#include <algorithm>
#include <limits>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Shapes, copies, parts and paddings. TensorFlow's operators take sizes as tensors, mostly int32: what a
// node knows is a constant, what only a run knows is computed from Shape.
namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

TfNames same(TfCall& call) {
  return {call.value("self")};
}

TfName expand_dims(GraphDefBuilder& out, const TfName& x, DType dtype, int64_t axis) {
  return out.add("ExpandDims", {x, out.axis(axis)}, dtype);
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
  ops["aten::unflatten.int"] = [](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    const TfName x = call.value("self");
    const int64_t rank = call.rank("self"), axis = call.axis("dim", rank);
    const TfNames parts{out.sizes(x, call.dtype(), 0, axis), out.constant(call.integers("sizes")),
                        out.sizes(x, call.dtype(), axis + 1, rank)};
    return {call.apply("Reshape", {x, out.concat(parts, kInt32, 0)})};
  };
  ops["aten::unsqueeze"] = [](TfCall& call) -> TfNames {
    return {expand_dims(call.out, call.value("self"), call.dtype(), call.integer("dim"))};
  };
  const TfEmit squeeze_ones = [](TfCall& call) -> TfNames {
    const Ints axes = call.squeezed_axes();
    const TfName x = call.value("self");
    return {axes.empty() ? x : call.out.add("Squeeze", {x}, call.dtype(), {{"squeeze_dims", axes}})};
  };
  ops["aten::squeeze.dims"] = squeeze_ones;
  ops["aten::squeeze.dim"] = squeeze_ones;
  for (const char* name : {"aten::permute", "aten::transpose.int", "aten::mT", "aten::t"}) {
    ops[name] = [](TfCall& call) -> TfNames {
      return {call.out.transpose(call.value("self"), call.dtype(), call.permutation())};
    };
  }
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
  ops["aten::expand_as"] = [](TfCall& call) -> TfNames {
    const TfName shape = call.out.add("Shape", {call.value("other")}, call.dtype("other"));
    return {call.apply("BroadcastTo", {call.value("self"), shape})};
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
  ops["belfry::fill"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Fill",
                         {call.value("shape", kInt64), call.out.constant(call.scalar("value"), call.dtype())},
                         call.dtype(), {{"index_type", DataType::kInt64}})};
  };
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
    if (parts.empty()) return {call.value(call.tensors("tensors").at(0), call.dtype())};
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

void add_slices(TfOps& ops) {
  ops["belfry::slice.tensors"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Slice", {call.value("x"), call.value("begin", kInt64), call.value("size", kInt64)},
                         call.dtype(), {{"Index", DataType::kInt64}})};
  };
  ops["belfry::strided_slice.tensors"] = [](TfCall& call) -> TfNames {
    return {call.out.add("StridedSlice",
                         {call.value("x"), call.value("begin", kInt64), call.value("end", kInt64),
                          call.value("strides", kInt64)},
                         call.dtype(), {{"Index", DataType::kInt64}})};
  };
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
  ops["belfry::strided_slice"] = [](TfCall& call) -> TfNames {
    return {
        call.out.add("StridedSlice",
                     {call.value("x"), call.out.constant(call.integers("begin")),
                      call.out.constant(call.integers("end")), call.out.constant(call.integers("strides"))},
                     call.dtype(), {{"Index", DataType::kInt32}})};
  };
  ops["aten::slice.Tensor"] = [](TfCall& call) -> TfNames {
    const size_t axis = static_cast<size_t>(call.axis("dim", call.rank("self")));
    constexpr int64_t kEnd = std::numeric_limits<int32_t>::max();
    Ints begin(axis + 1, 0), end(axis + 1, kEnd), strides(axis + 1, 1);
    if (call.has("start")) begin[axis] = std::clamp(call.integer("start"), -kEnd, kEnd);
    if (call.has("end")) end[axis] = std::clamp(call.integer("end"), -kEnd, kEnd);
    strides[axis] = call.integer("step");
    return {call.out.add(
        "StridedSlice",
        {call.value("self"), call.out.constant(begin), call.out.constant(end), call.out.constant(strides)},
        call.dtype(), {{"Index", DataType::kInt32}})};
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

TfName pad_at_run_time(TfCall& call) {
  const TfName x = call.value("x"), paddings = call.value("paddings", kInt64);
  const std::string mode = call.text("mode");
  if (mode == "constant")
    return call.out.add("PadV2", {x, paddings, call.out.constant(call.scalar("value"), call.dtype())},
                        call.dtype(), {{"Tpaddings", DataType::kInt64}});
  return call.out.add(
      "MirrorPad", {x, paddings}, call.dtype(),
      {{"Tpaddings", DataType::kInt64}, {"mode", std::string(mode == "reflect" ? "REFLECT" : "SYMMETRIC")}});
}

void add_pads(TfOps& ops) {
  ops["belfry::pad.tensor"] = [](TfCall& call) -> TfNames { return {pad_at_run_time(call)}; };
  ops["belfry::pad"] = [](TfCall& call) -> TfNames {
    return {pad(call, call.value("x"), call.integers("paddings"), call.text("mode"), call.scalar("value"))};
  };
  ops["aten::constant_pad_nd"] = [](TfCall& call) -> TfNames {
    return {pad(call, call.value("self"), call.paddings(), "constant", call.scalar("value"))};
  };
}

}  // namespace

TfName flatten(GraphDefBuilder& out, const TfName& x, DType dtype, int64_t rank, int64_t begin, int64_t end) {
  // As a product, not as -1, which of no elements could be any size.
  const TfName flat = reduce(out, "Prod", out.sizes(x, dtype, begin, end), kInt32, {0}, /*keep=*/true);
  const TfName shape =
      out.concat({out.sizes(x, dtype, 0, begin), flat, out.sizes(x, dtype, end, rank)}, kInt32, 0);
  return out.add("Reshape", {x, shape}, dtype);
}

void add_array_ops(TfOps& ops) {
  for (const char* name : {"aten::detach", "aten::contiguous", "aten::clone", "aten::alias"})
    ops[name] = same;
  ops["belfry::print"] = [](TfCall& call) -> TfNames { return {call.value("x")}; };
  ops["aten::_to_copy"] = [](TfCall& call) -> TfNames { return {call.value("self", call.dtype())}; };
  add_shapes(ops);
  add_repetitions(ops);
  add_parts(ops);
  add_slices(ops);
  add_pads(ops);
}

}  // namespace belfry::internal
