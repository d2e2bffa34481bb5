#include <ATen/ops/add.h>
#include <ATen/ops/any.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "belfry/graph/node.h"
#include "belfry/interchange/internal/onnx/importer.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

// Shapes, parts, indices and paddings. ONNX passes sizes and axes as tensors: where the graph knows their
// values they become attributes, where it knows how many there are they become sizes of a run
// (RunTimeShape), and else the model is refused.
namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;
using Ints = std::vector<int64_t>;

DType dtype_of(int64_t onnx) {
  switch (onnx) {
    case 1:
      return kFloat32;
    case 2:
      return kUInt8;
    case 3:
      return kInt8;
    case 5:
      return kInt16;
    case 6:
      return kInt32;
    case 7:
      return kInt64;
    case 9:
      return kBool;
    case 10:
      return kFloat16;
    case 11:
      return kFloat64;
    case 16:
      return kBFloat16;
    default:
      throw ImportFailure{"casts to a type that Belfry has not"};
  }
}

/// The sizes that a constant shape means for `x`: a 0 keeps the size of `x` there, and -1 is what remains,
/// known where the sizes that are not kept are.
Shape meant_sizes(const Tensor& x, const Shape& given) {
  Shape sizes = given;
  int64_t remaining = 1;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool kept = axis < static_cast<int64_t>(given.size()) && given[static_cast<size_t>(axis)] == 0;
    if (kept) {
      sizes[static_cast<size_t>(axis)] = x.dim(axis);
    } else if (remaining != kDynamic) {
      if (x.dim(axis) == kDynamic) {
        remaining = kDynamic;
      } else if (__builtin_mul_overflow(remaining, x.dim(axis), &remaining)) {
        throw ImportFailure{"has more elements than can be counted"};
      }
    }
  }
  for (int64_t size : given) {
    if (size > 0 && remaining > 0) remaining /= size;
  }
  const auto open = std::find(given.begin(), given.end(), kDynamic);
  if (open != given.end()) sizes[static_cast<size_t>(open - given.begin())] = remaining;
  return sizes;
}

Tensors reshape_as_onnx(const OnnxImport& node) {
  const Tensor& x = node.input();
  const auto given = known_sizes(node.input(1));
  const bool zeros_are_sizes = node.integer("allowzero", 0) != 0;
  if (!given) throw ImportFailure{"expected a known number of sizes"};
  if (!value_of(node.input(1))) return {reshape(x, RunTimeShape(node.input(1), *given))};
  if (zeros_are_sizes) return {reshape(x, *given)};
  const Shape sizes = meant_sizes(x, *given);
  if (std::count(sizes.begin(), sizes.end(), kDynamic) <= 1) return {reshape(x, sizes)};
  Tensors parts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool kept = (*given)[i] == 0 && sizes[i] == kDynamic;
    parts.push_back(kept ? slice(shape(x), {static_cast<int64_t>(i)}, {1}) : constant(Ints{sizes[i]}));
  }
  return {reshape(x, RunTimeShape(concat(parts, 0), sizes))};
}

void add_shapes(OnnxBuilds& builds) {
  builds["Identity"] = [](const OnnxImport& x) -> Tensors { return {identity(x.input())}; };
  builds["Cast"] = [](const OnnxImport& x) -> Tensors {
    return {cast(x.input(), dtype_of(x.integer("to", 0)))};
  };
  builds["Shape"] = [](const OnnxImport& x) -> Tensors {
    const int64_t rank = x.input().rank();
    const Ints ends = from_front({x.integer("start", 0), x.integer("end", rank)}, rank);
    const int64_t begin = std::clamp<int64_t>(ends[0], 0, rank),
                  end = std::clamp<int64_t>(ends[1], begin, rank);
    const Tensor sizes = shape(x.input());
    if (begin == 0 && end == rank) return {sizes};
    return {slice(sizes, {begin}, {end - begin})};
  };
  builds["Size"] = [](const OnnxImport& x) -> Tensors { return {size(x.input())}; };
  builds["Reshape"] = reshape_as_onnx;
  builds["Flatten"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("axis", 1) != 1) throw ImportFailure{"flattens at another axis than 1"};
    return {batch_flatten(x.input())};
  };
  builds["Unsqueeze"] = [](const OnnxImport& x) -> Tensors {
    Ints axes = x.axes(1);
    axes = from_front(axes, x.input().rank() + static_cast<int64_t>(axes.size()));
    std::sort(axes.begin(), axes.end());
    Tensor y = x.input();
    for (int64_t axis : axes) y = expand_dims(y, axis);
    return {y};
  };
  builds["Squeeze"] = [](const OnnxImport& x) -> Tensors {
    const Ints axes = x.axes(1);
    if (axes.empty() && std::ranges::count(x.input().shape(), kDynamic))
      throw ImportFailure{"squeezes what is of size 1, of sizes that only a run knows"};
    return {squeeze(x.input(), axes)};
  };
  builds["Transpose"] = [](const OnnxImport& x) -> Tensors {
    Ints reversed;
    for (int64_t axis = x.input().rank() - 1; axis >= 0; --axis) reversed.push_back(axis);
    return {transpose(x.input(), x.integers("perm", reversed))};
  };
}

/// True when a dimension of `x` may be larger than `sizes` say, which then are to be broadcast, not `x`.
bool may_be_larger(const Shape& x, const Shape& sizes) {
  if (x.size() > sizes.size()) return true;
  for (size_t i = 1; i <= x.size(); ++i) {
    if (sizes[sizes.size() - i] == 1 && x[x.size() - i] != 1) return true;
  }
  return false;
}

void add_repetitions(OnnxBuilds& builds) {
  builds["Expand"] = [](const OnnxImport& x) -> Tensors {
    const Node& sizes = x.input(1).node();
    const auto known = known_sizes(x.input(1));
    if (!known) throw ImportFailure{"expected a known number of sizes"};
    if (!value_of(x.input(1))) {
      // Both are broadcast, and so may be larger than the other.
      if (may_be_larger(x.input().shape(), *known)) {
        const Tensor everywhere = fill(RunTimeShape(x.input(1), *known), 1, kBool);
        return {where(everywhere, x.input(), x.input())};
      }
      if (sizes.op_name() == "belfry::shape")
        return {call("aten::expand_as", {x.input(), sizes.inputs()[0]})};
      const Tensor model = fill(RunTimeShape(x.input(1), *known), 0, x.input().dtype());
      return {call("aten::expand_as", {x.input(), model})};
    }
    Ints size = *known;
    const int64_t rank = x.input().rank();
    if (static_cast<int64_t>(size.size()) < rank)
      size.insert(size.begin(), static_cast<size_t>(rank) - size.size(), 1);
    const int64_t added = static_cast<int64_t>(size.size()) - rank;
    for (int64_t axis = 0; axis < rank; ++axis) {
      int64_t& wanted = size[static_cast<size_t>(axis + added)];
      if (wanted == 1) wanted = -1;  // keeps the input's
    }
    return {broadcast_to(x.input(), size)};
  };
  builds["Tile"] = [](const OnnxImport& x) -> Tensors { return {tile(x.input(), x.constant_integers(1))}; };
  builds["Range"] = [](const OnnxImport& x) -> Tensors {
    const auto start = value_of(x.input(0)), limit = value_of(x.input(1)), delta = value_of(x.input(2));
    if (start && limit && delta) {
      const auto number = [](const at::Tensor& value) {
        return value.is_floating_point() ? Attribute(value.item().toDouble())
                                         : Attribute(value.item().toLong());
      };
      return {call("aten::arange.start_step", {},
                   {{"start", number(*start)},
                    {"end", number(*limit)},
                    {"step", number(*delta)},
                    {"dtype", start->scalar_type()}})};
    }
    if (!start || !delta || start->item().toDouble() != 0 || delta->item().toDouble() != 1)
      throw ImportFailure{"expected a range from 0 in steps of 1, or constants"};
    return {cast(range(x.input(1)), x.input(1).dtype())};
  };
}

Tensors split_as_onnx(const OnnxImport& x) {
  const int64_t axis = x.integer("axis", 0);
  if (x.has(1)) return split(x.input(), x.constant_integers(1), axis);
  return split(x.input(), static_cast<int64_t>(x.results()), axis);
}

/// One dimension of ONNX's Slice. Begins and ends are counted from the end where they are negative, and then
/// moved to what the dimension has: a slice that runs backwards begins at the first element at least, where
/// one of TensorFlow's may begin before it.
Tensor slice_along(const Tensor& x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  if (axis < 0 || axis >= x.rank()) throw ImportFailure{"slices a dimension that is not there"};
  if (step == 0) throw ImportFailure{"expected steps other than 0"};
  constexpr int64_t kFar = std::numeric_limits<int32_t>::max();
  step = std::clamp(step, -kFar, kFar);
  if (step > 0)
    return call("aten::slice.Tensor", {x}, {{"dim", axis}, {"start", begin}, {"end", end}, {"step", step}});
  const int64_t size = x.dim(axis);
  // The largest number means the first element here, not what lies behind the last: to ONNX Runtime at least.
  if (end == kFar || end == std::numeric_limits<int64_t>::max()) end = -kFar;
  begin = std::clamp(begin, -kFar, kFar);
  end = std::clamp(end, -kFar, kFar);
  if (size != kDynamic) {
    const int64_t last = std::max<int64_t>(size - 1, 0);
    begin = std::clamp<int64_t>(begin < 0 ? begin + size : begin, 0, last);
    end = std::clamp<int64_t>(end < 0 ? end + size : end, -1, last);
    if (size == 0 || begin <= end)
      return call("aten::slice.Tensor", {x}, {{"dim", axis}, {"start", 0}, {"end", 0}, {"step", 1}});
    if (end == -1) end = -kFar;
    if (begin == last) begin = -1;
  } else if (begin == -kFar) {
    begin = 0;
  } else if (begin < -1) {
    throw ImportFailure{"runs backwards from a place that is counted from the end of a dynamic dimension"};
  } else if (begin == kFar) {
    begin = -1;
  }
  if (step == -1 && begin == -1 && end == -kFar) return reverse(x, {axis});
  Ints begins(static_cast<size_t>(axis), 0), ends(begins.size(), kFar), steps(begins.size(), 1);
  begins.push_back(begin);
  ends.push_back(end);
  steps.push_back(step);
  return strided_slice(x, begins, ends, steps);
}

/// Places of the dimensions from the first on that ONNX's lists give for some of them, in any order.
Tensor for_all(const Tensor& list, const Ints& axes, int64_t count, int64_t otherwise) {
  Tensors all;
  for (int64_t axis = 0; axis < count; ++axis) {
    const auto place = std::ranges::find(axes, axis);
    all.push_back(place == axes.end() ? constant(Ints{otherwise})
                                      : slice(list, {static_cast<int64_t>(place - axes.begin())}, {1}));
  }
  return concat(all, 0);
}

/// A slice whose begins, ends or steps a run gives: as slice_along, but with numbers that the graph computes.
Tensor slice_at_run_time(const Tensor& x, const Ints& axes, const Tensor& begins, const Tensor& ends,
                         const Tensor& steps) {
  const int64_t number = static_cast<int64_t>(axes.size());
  for (const Tensor& list : {begins, ends, steps}) {
    if (list.shape() != Shape{number})
      throw ImportFailure{"expected begins, ends, axes and steps of one length"};
  }
  int64_t count = 0;
  for (const int64_t axis : axes) {
    if (axis < 0 || axis >= x.rank() || std::ranges::count(axes, axis) != 1)
      throw ImportFailure{"slices a dimension that is not there, or twice"};
    count = std::max(count, axis + 1);
  }
  const Tensor begin = for_all(cast(begins, kInt64), axes, count, 0);
  const Tensor end = for_all(cast(ends, kInt64), axes, count, std::numeric_limits<int64_t>::max());
  const Tensor step = for_all(cast(steps, kInt64), axes, count, 1);
  const auto known = value_of(steps);
  if (known && known->gt(0).all().item<bool>()) return strided_slice(x, begin, end, step);
  const Tensor sizes = slice(shape(x), {0}, {count}), backwards = less(step, 0);
  const auto from_front = [&](const Tensor& places) {
    return where(less(places, 0), places + sizes, places);
  };
  const Tensor first = minimum(maximum(from_front(begin), constant(int64_t{0})), sizes - 1);
  const Tensor last = minimum(from_front(end), sizes - 1);
  const Tensor behind = where(less(last, 0), -sizes - 1, last);
  return strided_slice(x, where(backwards, first, begin), where(backwards, behind, end), step);
}

Tensors slice_as_onnx(const OnnxImport& x) {
  if (!value_of(x.input(1)) || !value_of(x.input(2)) || (x.has(4) && !value_of(x.input(4)))) {
    if (x.input(1).rank() != 1 || x.input(1).dim(0) == kDynamic)
      throw ImportFailure{"expected a known number of begins"};
    Ints axes(static_cast<size_t>(x.input(1).dim(0)));
    std::iota(axes.begin(), axes.end(), 0);
    if (x.has(3)) axes = from_front(x.constant_integers(3), x.input().rank());
    const Tensor ones = constant(Ints(axes.size(), 1));
    return {slice_at_run_time(x.input(), axes, x.input(1), x.input(2), x.has(4) ? x.input(4) : ones)};
  }
  const Ints begin = x.constant_integers(1), end = x.constant_integers(2);
  Ints axes(begin.size()), steps(begin.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (x.has(3)) axes = from_front(x.constant_integers(3), x.input().rank());
  if (x.has(4)) steps = x.constant_integers(4);
  if (end.size() != begin.size() || axes.size() != begin.size() || steps.size() != begin.size())
    throw ImportFailure{"expected begins, ends, axes and steps of one length"};
  Tensor y = x.input();
  for (size_t i = 0; i < axes.size(); ++i) y = slice_along(y, axes[i], begin[i], end[i], steps[i]);
  return {y};
}

/// `indices` with those that are negative counted from the end of `sizes`, a number for each or one for all.
Tensor from_the_end(const Tensor& indices, const Tensor& sizes) {
  const auto value = value_of(indices), ends = value_of(sizes);
  if (value && !value->lt(0).any().item<bool>()) return indices;
  if (value && ends)
    return constant(at::where(value->lt(0), at::add(value->to(kInt64), *ends), value->to(kInt64)));
  const Tensor wide = cast(indices, kInt64);
  return where(less(wide, 0), wide + sizes, wide);
}
Tensor from_the_end(const Tensor& indices, const Tensor& x, int64_t axis) {
  if (axis < 0 || axis >= x.rank()) throw ImportFailure{"looks up in a dimension that is not there"};
  const bool known = x.dim(axis) != kDynamic;
  return from_the_end(
      indices, known ? constant(at::scalar_tensor(x.dim(axis), kInt64)) : reshape(size_along(x, axis), {}));
}
/// As above for indices [..., K] of the first K dimensions.
Tensor all_from_the_end(const Tensor& indices, const Tensor& x) {
  const int64_t count = indices.rank() > 0 ? indices.dim(-1) : kDynamic;
  if (count == kDynamic || count > x.rank())
    throw ImportFailure{fmt::format("expected indices of 1 to {} dimensions", x.rank())};
  const Shape sizes(x.shape().begin(), x.shape().begin() + count);
  const bool known = !std::count(sizes.begin(), sizes.end(), kDynamic);
  return from_the_end(indices, known ? constant(sizes) : slice(shape(x), {0}, {count}));
}

Tensors gather_as_onnx(const OnnxImport& x) {
  const int64_t axis = from_front({x.integer("axis", 0)}, x.input().rank())[0];
  if (const auto index = value_of(x.input(1)); index && index->dim() == 0)
    return {select(x.input(), index->item<int64_t>(), axis)};
  return {gather(x.input(), from_the_end(x.input(1), x.input(), axis), axis)};
}

Tensors pad_as_onnx(const OnnxImport& x) {
  const std::string mode = x.text("mode", "constant");
  if (mode != "constant") x.ignore_input(2);  // the constant, which no other mode has a use for
  const double value = mode == "constant" && x.has(2) ? x.constant(2).item().toDouble() : 0;
  if (!value_of(x.input(1))) {
    if (mode != "constant" && mode != "reflect") throw ImportFailure{"pads in the mode " + mode};
    if (x.input(1).shape() != Shape{2 * x.input().rank()})
      throw ImportFailure{"expected two pads for each dimension"};
    if (mode == "reflect") {
      const Tensor pairs = transpose(reshape(x.input(1), {2, x.input().rank()}), {1, 0});
      return {pad(x.input(), pairs, {.mode = PadMode::kReflect})};
    }
    return {pad_at_run_time(x.input(), x.input(1), value)};
  }
  const Ints pads = x.constant_integers(1);
  check_lengths("pads", pads, 0);
  const size_t rank = pads.size() / 2;
  std::vector<std::pair<int64_t, int64_t>> paddings;
  for (size_t axis = 0; axis < rank; ++axis) paddings.emplace_back(pads[axis], pads[axis + rank]);
  if (mode == "reflect") return {pad(x.input(), paddings, {.mode = PadMode::kReflect})};
  if (mode != "constant") throw ImportFailure{"pads in the mode " + mode};
  return {pad(x.input(), paddings, {.value = value})};
}

/// True for the size, known or not, of dimension `axis` of `x`.
bool is_size_of(const Tensor& count, const Tensor& x, int64_t axis) {
  if (auto value = value_of(count)) return value->numel() == 1 && value->item<int64_t>() == x.dim(axis);
  const Node& node = count.node();
  if (node.op_name() == "belfry::shape") return x.rank() == 1 && node.inputs()[0] == x;
  return node.op_name() == "belfry::slice" && node.inputs()[0].node().op_name() == "belfry::shape" &&
         node.inputs()[0].node().inputs()[0] == x && node.attribute("begin").toIntVector() == Ints{axis} &&
         node.attribute("size").toIntVector() == Ints{1};
}

/// The first elements of a stable order: of equal ones those of lower index, as ONNX wants them. Without
/// "sorted" any order will do.
Tensors topk_as_onnx(const OnnxImport& x) {
  const Tensor& input = x.input();
  const int64_t axis = from_front({x.integer("axis", -1)}, input.rank())[0];
  const bool largest = x.integer("largest", 1) != 0;
  x.ignore_attribute("sorted");
  if (axis < 0 || axis >= input.rank()) throw ImportFailure{"orders a dimension that is not there"};
  Tensors results =
      call_multi("aten::sort.stable", {input}, {{"stable", true}, {"dim", axis}, {"descending", largest}});
  if (is_size_of(x.input(1), input, axis)) return results;
  if (!value_of(x.input(1))) {
    if (x.input(1).shape() != Shape{1}) throw ImportFailure{"expected one number of elements"};
    Tensors sizes(static_cast<size_t>(input.rank()), constant(Ints{-1}));
    sizes[static_cast<size_t>(axis)] = cast(x.input(1), kInt64);
    for (Tensor& result : results) result = slice(result, constant(Ints(sizes.size(), 0)), concat(sizes, 0));
    return results;
  }
  const Ints count = x.constant_integers(1);
  if (count.size() != 1) throw ImportFailure{"expected one number of elements"};
  Ints size(static_cast<size_t>(input.rank()), -1);
  size[static_cast<size_t>(axis)] = count[0];
  for (Tensor& result : results) result = slice(result, Ints(size.size(), 0), size);
  return results;
}

/// Additions to a tensor of static sizes.
Tensors scatter_nd_as_onnx(const OnnxImport& x) {
  if (x.text("reduction", "none") != "add") throw ImportFailure{"scatters other than by addition"};
  const Tensor& data = x.input(0);
  if (std::count(data.shape().begin(), data.shape().end(), kDynamic))
    throw ImportFailure{"scatters into a tensor of dynamic sizes"};
  const Tensor sum = scatter_nd(all_from_the_end(x.input(1), data), x.input(2), data.shape());
  const auto value = value_of(data);
  return {value && !value->any().item<bool>() ? sum : data + sum};
}

void add_lookups(OnnxBuilds& builds) {
  builds["Gather"] = gather_as_onnx;
  builds["GatherElements"] = [](const OnnxImport& x) -> Tensors {
    const int64_t axis = from_front({x.integer("axis", 0)}, x.input().rank())[0];
    const Tensor indices = cast(from_the_end(x.input(1), x.input(), axis), kInt64);
    return {call("aten::gather", {x.input(), indices}, {{"dim", axis}})};
  };
  builds["GatherND"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("batch_dims", 0) != 0) throw ImportFailure{"has dimensions of a batch"};
    return {gather_nd(x.input(0), all_from_the_end(x.input(1), x.input(0)))};
  };
  builds["ScatterND"] = scatter_nd_as_onnx;
  builds["NonZero"] = [](const OnnxImport& x) -> Tensors {
    return {transpose(call("aten::nonzero", {x.input()}), {1, 0})};
  };
  builds["Compress"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("axis", -1) != 0) throw ImportFailure{"compresses along another axis than 0"};
    return {boolean_mask(x.input(), x.input(1))};
  };
  builds["TopK"] = topk_as_onnx;
}

void add_parts(OnnxBuilds& builds) {
  builds["Concat"] = [](const OnnxImport& x) -> Tensors {
    return {concat(x.inputs(), x.integer("axis", 0))};
  };
  builds["Split"] = split_as_onnx;
  builds["Slice"] = slice_as_onnx;
  builds["Pad"] = pad_as_onnx;
}

}  // namespace

Ints from_front(Ints axes, int64_t rank) {
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  return axes;
}

Tensor size_along(const Tensor& x, int64_t axis) {
  return x.rank() == 1 ? shape(x) : slice(shape(x), {axis}, {1});
}

Tensor pad_at_run_time(const Tensor& x, const Tensor& pads, double value) {
  const Shape widths = known_sizes(pads).value_or(Shape(static_cast<size_t>(2 * x.rank()), kDynamic));
  Tensor y = x;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const auto width = [&](int64_t place) { return widths.at(static_cast<size_t>(place)); };
    if (width(axis) == 0 && width(axis + x.rank()) == 0) continue;  // its size stays as it is known
    const auto values_beside = [&](int64_t place) {
      Shape known = y.shape();
      known[static_cast<size_t>(axis)] = width(place);
      const Tensor sizes = shape(y), beside = slice(pads, {place}, {1});
      const Tensor all = concat({slice(sizes, {0}, {axis}), beside, slice(sizes, {axis + 1}, {-1})}, 0);
      return fill(RunTimeShape(all, known), value, x.dtype());
    };
    y = concat({values_beside(axis), y, values_beside(axis + x.rank())}, axis);
  }
  return y;
}

void add_array_builds(OnnxBuilds& builds) {
  add_shapes(builds);
  add_repetitions(builds);
  add_parts(builds);
  add_lookups(builds);
}

}  // namespace belfry::internal
