#include <ATen/ops/tensor.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "belfry/interchange/internal/onnx/ops.h"

// Shapes, copies, parts, indices and paddings. Transpositions are moved behind what does not care for the
// order of dimensions, so that those of an NHWC model meet and cancel out.
namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

// As ends of slices: beyond the last element, and before the first.
constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
constexpr int64_t kBegin = std::numeric_limits<int64_t>::min();

OnnxNames same(OnnxCall& call) {
  return {call.value("self")};
}

int64_t dynamic_sizes(const Shape& shape) {
  return std::count(shape.begin(), shape.end(), kDynamic);
}

void add_shapes(OnnxOps& ops) {
  ops["belfry::shape"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Shape", {call.value("x")})};
  };
  ops["belfry::size"] = [](OnnxCall& call) -> OnnxNames { return {call.out.add("Size", {call.value("x")})}; };
  const auto to_constant = [](const char* argument) {
    return [argument](OnnxCall& call) -> OnnxNames {
      return {call.out.reshape(call.value("self"), call.integers(argument))};
    };
  };
  ops["aten::reshape"] = to_constant("shape");
  ops["aten::view"] = to_constant("size");
  ops["belfry::reshape"] = [](OnnxCall& call) -> OnnxNames {
    return {
        call.out.add("Reshape", {call.value("x"), call.value("shape", kInt64)}, {{"allowzero", int64_t{1}}})};
  };
  ops["aten::flatten.using_ints"] = [](OnnxCall& call) -> OnnxNames {
    const int64_t rank = call.rank("self");
    if (rank == 0) return {call.out.reshape(call.value("self"), {1})};
    return {flatten(call.out, call.value("self"), call.shape("self"), call.axis("start_dim", rank),
                    call.axis("end_dim", rank) + 1)};
  };
  ops["aten::unflatten.int"] = [](OnnxCall& call) -> OnnxNames {
    OnnxBuilder& out = call.out;
    const OnnxName x = call.value("self");
    const Shape& to = call.result().shape;
    if (dynamic_sizes(to) <= 1) return {out.reshape(x, to)};
    const int64_t rank = call.rank("self"), axis = call.axis("dim", rank);
    const OnnxNames parts{out.sizes(x, 0, axis), out.constant(call.integers("sizes")),
                          out.sizes(x, axis + 1, rank)};
    return {out.add("Reshape", {x, out.add("Concat", parts, {{"axis", int64_t{0}}})})};
  };
  ops["aten::unsqueeze"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.unsqueeze(call.value("self"), {call.axis("dim", call.rank("self") + 1)})};
  };
  const OnnxEmit squeeze = [](OnnxCall& call) -> OnnxNames {
    return {call.out.squeeze(call.value("self"), call.squeezed_axes())};
  };
  ops["aten::squeeze.dims"] = squeeze;
  ops["aten::squeeze.dim"] = squeeze;
  for (const char* name : {"aten::permute", "aten::transpose.int", "aten::mT", "aten::t"}) {
    ops[name] = [](OnnxCall& call) -> OnnxNames {
      return {call.out.transpose(call.value("self"), call.permutation())};
    };
  }
}

void add_repetitions(OnnxOps& ops) {
  ops["aten::expand"] = [](OnnxCall& call) -> OnnxNames {
    Ints size = call.integers("size");
    std::replace(size.begin(), size.end(), int64_t{-1}, int64_t{1});  // what Expand leaves as it is
    return {call.out.add("Expand", {call.value("self"), call.out.constant(size)})};
  };
  ops["aten::expand_as"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Expand", {call.value("self"), call.out.add("Shape", {call.value("other")})})};
  };
  ops["aten::repeat"] = [](OnnxCall& call) -> OnnxNames {
    const Ints repeats = call.integers("repeats");
    Ints added(repeats.size() - static_cast<size_t>(call.rank("self")));
    std::iota(added.begin(), added.end(), 0);
    return {
        call.out.add("Tile", {call.out.unsqueeze(call.value("self"), added), call.out.constant(repeats)})};
  };
  ops["aten::zeros_like"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName zero = call.out.constant(0, call.result().dtype);
    return {call.out.add("Expand", {zero, call.out.add("Shape", {call.value("self")})})};
  };
  ops["aten::ones_like"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName one = call.out.constant(1, call.result().dtype);
    return {call.out.add("Expand", {one, call.out.add("Shape", {call.value("self")})})};
  };
  ops["belfry::fill"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName value = call.out.constant(call.scalar("value"), call.result().dtype);
    return {call.out.add("Expand", {value, call.value("shape", kInt64)})};
  };
  ops["belfry::range"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add(
        "Range", {call.out.constant(0, kInt64), call.value("limit", kInt64), call.out.constant(1, kInt64)})};
  };
}

OnnxNames concat(OnnxCall& call) {
  OnnxNames parts;
  for (const Tensor& tensor : call.tensors("tensors")) {
    if (tensor.shape() != Shape{0}) parts.push_back(call.value(tensor, call.result().dtype));
  }
  const auto tensors = call.tensors("tensors");
  if (parts.empty()) return {call.value(tensors.at(0), call.result().dtype)};
  const int64_t axis = call.axis("dim", static_cast<int64_t>(call.result().shape.size()));
  const auto permutation = call.out.common_permutation(parts);
  if (!permutation) return {call.out.add("Concat", parts, {{"axis", axis}})};
  for (OnnxName& part : parts) part = call.out.untransposed(part);
  return {call.out.transpose(
      call.out.add("Concat", parts, {{"axis", (*permutation)[static_cast<size_t>(axis)]}}), *permutation)};
}

void add_parts(OnnxOps& ops) {
  ops["aten::cat"] = concat;
  ops["aten::stack"] = [](OnnxCall& call) -> OnnxNames {
    const int64_t axis = call.axis("dim", static_cast<int64_t>(call.result().shape.size()));
    OnnxNames parts;
    for (const Tensor& tensor : call.tensors("tensors"))
      parts.push_back(call.out.unsqueeze(call.value(tensor, call.result().dtype), {axis}));
    return {call.out.add("Concat", parts, {{"axis", axis}})};
  };
  ops["belfry::split"] = [](OnnxCall& call) {
    return call.out.add_multi("Split", {call.value("x")}, call.node().outputs().size(),
                              {{"axis", call.integer("axis")}});
  };
  ops["aten::split_with_sizes"] = [](OnnxCall& call) {
    return call.out.add_multi("Split", {call.value("self"), call.out.constant(call.integers("split_sizes"))},
                              call.node().outputs().size(), {{"axis", call.integer("dim")}});
  };
  ops["aten::unbind.int"] = [](OnnxCall& call) {
    const int64_t axis = call.axis("dim", call.rank("self"));
    OnnxNames parts =
        call.out.add_multi("Split", {call.value("self")}, call.node().outputs().size(), {{"axis", axis}});
    for (OnnxName& part : parts) part = call.out.squeeze(part, {axis});
    return parts;
  };
}

/// Slices of several dimensions as ONNX's operators. There a slice that runs backwards begins at the first
/// element at least, where one of ours may begin before it and then is empty.
class OnnxSlices {
 public:
  /// `size` of the dimension may be dynamic.
  void add(int64_t axis, int64_t size, int64_t begin, int64_t end, int64_t step) {
    if (step > 0) return first_.add(axis, begin, end, step);
    if (size != kDynamic) {
      begin = std::min(begin < 0 ? begin + size : begin, size - 1);
      end = std::clamp<int64_t>(end < 0 ? end + size : end, -1, size);
      if (begin <= end || begin < 0) return first_.add(axis, 0, 0, 1);
      return then_.add(axis, begin, end == -1 ? kBegin : end, step);
    }
    if (begin < -1) {
      // What lies behind the begin goes first, and so the rest runs from its end: nothing of nothing.
      if (end < 0 && end >= begin) return first_.add(axis, 0, 0, 1);
      first_.add(axis, 0, begin + 1, 1);
      if (end < 0) end -= begin + 1;
      begin = -1;
    }
    end = std::min<int64_t>(end, std::numeric_limits<int32_t>::max() - 1);  // the largest means the beginning
    then_.add(axis, begin, end, step);
  }

  OnnxName of(OnnxBuilder& out, const OnnxName& x) const { return then_.of(out, first_.of(out, x)); }

 private:
  struct Lists {
    Ints axes, begins, ends, steps;

    void add(int64_t axis, int64_t begin, int64_t end, int64_t step) {
      axes.push_back(axis);
      begins.push_back(begin);
      ends.push_back(end);
      steps.push_back(step);
    }
    OnnxName of(OnnxBuilder& out, const OnnxName& x) const {
      if (axes.empty()) return x;
      return out.add("Slice",
                     {x, out.constant(begins), out.constant(ends), out.constant(axes), out.constant(steps)});
    }
  };
  Lists first_, then_;
};

OnnxNames slice_at_run_time(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const OnnxName begin = call.value("begin", kInt64), size = call.value("size", kInt64);
  const OnnxName rest = out.add("Equal", {size, out.constant(-1, kInt64)});
  const OnnxName end = out.add("Where", {rest, out.constant(kEnd, kInt64), out.add("Add", {begin, size})});
  return {out.add("Slice", {call.value("x"), begin, end})};
}

/// Places as ONNX's, which where a slice runs backwards begins at the first element at least, and means the
/// place before it by the lowest number. One of ours that begins before the first element is empty.
OnnxNames strided_slice_at_run_time(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  int64_t count = kDynamic;  // one of the lists may say it
  for (const char* list : {"begin", "end", "strides"}) count = std::max(count, call.shape(list).at(0));
  if (count == kDynamic) call.unsupported("a number of places that only a run knows");
  const OnnxName x = call.value("x"), steps = call.value("strides", kInt64);
  const OnnxName zero = out.constant(0, kInt64), before = out.constant(-1, kInt64);
  const OnnxName sizes = out.sizes(x, 0, count), last = out.add("Add", {sizes, before});
  const OnnxName backwards = out.add("Less", {steps, zero});
  const auto inside = [&](const OnnxName& given) {
    const OnnxName from_front =
        out.add("Where", {out.add("Less", {given, zero}), out.add("Add", {given, sizes}), given});
    return out.add("Max", {out.add("Min", {from_front, last}), before});
  };
  const OnnxName begin = call.value("begin", kInt64), end = call.value("end", kInt64);
  const OnnxName first = inside(begin), behind = inside(end);
  const OnnxName empty = out.add("Equal", {first, before});
  const OnnxName to =
      out.add("Where", {out.add("Equal", {behind, before}), out.constant(kBegin, kInt64), behind});
  Ints axes(static_cast<size_t>(count));
  std::iota(axes.begin(), axes.end(), 0);
  return {out.add("Slice", {x, out.add("Where", {backwards, out.add("Where", {empty, zero, first}), begin}),
                            out.add("Where", {backwards, out.add("Where", {empty, zero, to}), end}),
                            out.constant(axes), steps})};
}

void add_slices(OnnxOps& ops) {
  ops["belfry::slice.tensors"] = slice_at_run_time;
  ops["belfry::strided_slice.tensors"] = strided_slice_at_run_time;
  ops["belfry::slice"] = [](OnnxCall& call) -> OnnxNames {
    const Ints begin = call.integers("begin"), size = call.integers("size");
    Ints end;
    for (size_t i = 0; i < begin.size(); ++i) end.push_back(size[i] == -1 ? kEnd : begin[i] + size[i]);
    return {call.out.add("Slice", {call.value("x"), call.out.constant(begin), call.out.constant(end)})};
  };
  ops["belfry::strided_slice"] = [](OnnxCall& call) -> OnnxNames {
    OnnxSlices slices;
    const Ints begin = call.integers("begin"), end = call.integers("end"), steps = call.integers("strides");
    for (size_t i = 0; i < begin.size(); ++i)
      slices.add(static_cast<int64_t>(i), call.shape("x")[i], begin[i], end[i], steps[i]);
    return {slices.of(call.out, call.value("x"))};
  };
  ops["aten::slice.Tensor"] = [](OnnxCall& call) -> OnnxNames {
    const int64_t begin = call.has("start") ? call.integer("start") : 0;
    const int64_t end = call.has("end") ? call.integer("end") : kEnd;
    const auto list = [&](int64_t value) { return call.out.constant(Ints{value}); };
    return {call.out.add("Slice", {call.value("self"), list(begin), list(end), list(call.integer("dim")),
                                   list(call.integer("step"))})};
  };
  ops["aten::flip"] = [](OnnxCall& call) -> OnnxNames {
    const Ints axes = call.integers("dims");
    if (axes.empty()) return same(call);
    const auto list = [&](int64_t value) { return call.out.constant(Ints(axes.size(), value)); };
    return {call.out.add("Slice",
                         {call.value("self"), list(-1), list(kBegin), call.out.constant(axes), list(-1)})};
  };
  ops["aten::select.int"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Gather", {call.value("self"), call.out.constant(call.integer("index"), kInt64)},
                         {{"axis", call.integer("dim")}})};
  };
}

/// `x` from position `begin` along `axis`, backwards, to before `end`.
OnnxName backwards(OnnxBuilder& out, const OnnxName& x, int64_t axis, int64_t begin, int64_t end) {
  const auto list = [&](int64_t value) { return out.constant(Ints{value}); };
  return out.add("Slice", {x, list(begin), list(end), list(axis), list(-1)});
}

/// Mirrors with the border itself, which ONNX's Pad cannot.
OnnxName pad_symmetric(OnnxCall& call, const Ints& paddings) {
  OnnxBuilder& out = call.out;
  OnnxName x = call.value("x");
  for (int64_t axis = 0; axis < call.rank("x"); ++axis) {
    const int64_t before = paddings[static_cast<size_t>(2 * axis)],
                  after = paddings[static_cast<size_t>(2 * axis + 1)];
    OnnxNames parts;
    if (before > 0) parts.push_back(backwards(out, x, axis, before - 1, kBegin));
    parts.push_back(x);
    if (after > 0) parts.push_back(backwards(out, x, axis, -1, -1 - after));
    if (parts.size() > 1) x = out.add("Concat", parts, {{"axis", axis}});
  }
  return x;
}

/// `paddings`: before and after, for each dimension of `x`.
OnnxName pad(OnnxCall& call, OnnxName x, Ints paddings, const std::string& mode, const c10::Scalar& value) {
  OnnxBuilder& out = call.out;
  const size_t rank = paddings.size() / 2;
  const auto permutation = out.common_permutation({x});
  if (permutation) {
    x = out.untransposed(x);
    Ints moved(paddings.size());
    for (size_t axis = 0; axis < rank; ++axis) {
      const size_t to = static_cast<size_t>((*permutation)[axis]);
      moved[2 * to] = paddings[2 * axis];
      moved[2 * to + 1] = paddings[2 * axis + 1];
    }
    paddings = moved;
  }
  Ints pads;
  for (size_t axis = 0; axis < rank; ++axis) pads.push_back(paddings[2 * axis]);
  for (size_t axis = 0; axis < rank; ++axis) pads.push_back(paddings[2 * axis + 1]);
  OnnxNames inputs{x, out.constant(pads)};
  if (mode == "constant") inputs.push_back(out.constant(value, call.result().dtype));
  const OnnxName padded = out.add("Pad", inputs, {{"mode", mode}});
  return permutation ? out.transpose(padded, *permutation) : padded;
}

/// Mirrors with the border itself what lies at both ends of each dimension.
OnnxName pad_symmetric_at_run_time(OnnxCall& call, const OnnxName& paddings) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("x");
  const OnnxName flat = out.reshape(paddings, {2 * rank});
  const auto width = [&](int64_t place) {
    return out.add("Slice", {flat, out.constant(Ints{place}), out.constant(Ints{place + 1})});
  };
  OnnxName x = call.value("x");
  for (int64_t axis = 0; axis < rank; ++axis) {
    const OnnxName along = out.constant(Ints{axis}), start = out.constant(Ints{0});
    const OnnxName size = out.sizes(x, axis, axis + 1);
    const OnnxName head = out.add("Slice", {x, start, width(2 * axis), along});
    const OnnxName tail = out.add("Slice", {x, out.add("Sub", {size, width(2 * axis + 1)}), size, along});
    x = out.add("Concat", {backwards(out, head, axis, -1, kBegin), x, backwards(out, tail, axis, -1, kBegin)},
                {{"axis", axis}});
  }
  return x;
}

OnnxNames pad_at_run_time(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const std::string mode = call.text("mode");
  const OnnxName paddings = call.value("paddings", kInt64);
  if (mode == "symmetric") return {pad_symmetric_at_run_time(call, paddings)};
  const OnnxName pads = out.reshape(out.transpose(paddings, {1, 0}), {2 * call.rank("x")});
  OnnxNames inputs{call.value("x"), pads};
  if (mode == "constant") inputs.push_back(out.constant(call.scalar("value"), call.result().dtype));
  return {out.add("Pad", inputs, {{"mode", mode}})};
}

void add_pads(OnnxOps& ops) {
  ops["belfry::pad.tensor"] = pad_at_run_time;
  ops["belfry::pad"] = [](OnnxCall& call) -> OnnxNames {
    const std::string mode = call.text("mode");
    const Ints paddings = call.integers("paddings");
    if (mode == "symmetric") return {pad_symmetric(call, paddings)};
    return {pad(call, call.value("x"), paddings, mode, call.scalar("value"))};
  };
  ops["aten::constant_pad_nd"] = [](OnnxCall& call) -> OnnxNames {
    return {pad(call, call.value("self"), call.paddings(), "constant", call.scalar("value"))};
  };
}

}  // namespace

OnnxName flatten(OnnxBuilder& out, const OnnxName& x, const Shape& from, int64_t begin, int64_t end) {
  Shape to(from.begin(), from.begin() + begin);
  const bool known = dynamic_sizes(Shape(from.begin() + begin, from.begin() + end)) == 0;
  int64_t product = 1;
  for (int64_t axis = begin; axis < end; ++axis) product *= from[static_cast<size_t>(axis)];
  to.push_back(known ? product : -1);
  to.insert(to.end(), from.begin() + end, from.end());
  // Of no elements, -1 could be any size.
  if (dynamic_sizes(to) <= 1 && !std::count(to.begin(), to.end(), 0)) return out.reshape(x, to);
  const OnnxName flat = known ? out.constant(Ints{product})
                              : reduce(out, "ReduceProd", out.sizes(x, begin, end), {0}, /*keep=*/true);
  const OnnxName shape =
      out.add("Concat", {out.sizes(x, 0, begin), flat, out.sizes(x, end, static_cast<int64_t>(from.size()))},
              {{"axis", int64_t{0}}});
  return out.add("Reshape", {x, shape}, {{"allowzero", int64_t{1}}});
}

void add_array_ops(OnnxOps& ops) {
  for (const char* name : {"aten::detach", "aten::contiguous", "aten::clone", "aten::alias"})
    ops[name] = same;
  ops["belfry::print"] = [](OnnxCall& call) -> OnnxNames { return {call.value("x")}; };
  ops["aten::_to_copy"] = [](OnnxCall& call) -> OnnxNames {
    return {call.value("self", call.result().dtype)};
  };
  add_shapes(ops);
  add_repetitions(ops);
  add_parts(ops);
  add_slices(ops);
  add_pads(ops);
}

}  // namespace belfry::internal
