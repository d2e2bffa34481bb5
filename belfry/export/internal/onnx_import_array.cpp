#include <ATen/ops/any.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "belfry/export/internal/onnx_importer.h"
#include "belfry/graph/node.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

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

/// `axes` from the front, for a tensor of `rank` dimensions.
Ints from_front(Ints axes, int64_t rank) {
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  return axes;
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
  if (!given) throw ImportFailure{"expected a known number of sizes"};
  if (!value_of(node.input(1))) return {reshape(x, RunTimeShape(node.input(1), *given))};
  if (node.integer("allowzero", 0) != 0) return {reshape(x, *given)};
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
  builds["Squeeze"] = [](const OnnxImport& x) -> Tensors { return {squeeze(x.input(), x.axes(1))}; };
  builds["Transpose"] = [](const OnnxImport& x) -> Tensors {
    Ints reversed;
    for (int64_t axis = x.input().rank() - 1; axis >= 0; --axis) reversed.push_back(axis);
    return {transpose(x.input(), x.integers("perm", reversed))};
  };
}

void add_repetitions(OnnxBuilds& builds) {
  builds["Expand"] = [](const OnnxImport& x) -> Tensors {
    const Node& sizes = x.input(1).node();
    if (sizes.op_name() == "belfry::shape") return {call("aten::expand_as", {x.input(), sizes.inputs()[0]})};
    if (!value_of(x.input(1))) {
      const auto known = known_sizes(x.input(1));
      if (!known) throw ImportFailure{"expected a known number of sizes"};
      const Tensor model = fill(RunTimeShape(x.input(1), *known), 0, x.input().dtype());
      return {call("aten::expand_as", {x.input(), model})};
    }
    Ints size = x.constant_integers(1);
    const int64_t rank = x.input().rank(), added = static_cast<int64_t>(size.size()) - rank;
    if (added < 0) throw ImportFailure{"expands to fewer dimensions"};
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
    return {range(x.input(1))};
  };
}

Tensors split_as_onnx(const OnnxImport& x) {
  const int64_t axis = x.integer("axis", 0);
  if (x.has(1)) return split(x.input(), x.constant_integers(1), axis);
  return split(x.input(), static_cast<int64_t>(x.results()), axis);
}

/// One dimension of ONNX's Slice.
Tensor slice_along(const Tensor& x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  if (axis < 0 || axis >= x.rank()) throw ImportFailure{"slices a dimension that is not there"};
  constexpr int64_t kFar = std::numeric_limits<int32_t>::max();
  if (step == 0 || step > kFar || step < -kFar)
    throw ImportFailure{"expected a step of at least 1 and at most 2^31, forwards or backwards"};
  if (step > 0)
    return call("aten::slice.Tensor", {x}, {{"dim", axis}, {"start", begin}, {"end", end}, {"step", step}});
  if (step == -1 && begin == -1 && end < -kFar) return reverse(x, {axis});
  Ints begins(static_cast<size_t>(axis), 0), ends(begins.size(), kFar), steps(begins.size(), 1);
  begins.push_back(begin);
  ends.push_back(end);
  steps.push_back(step);
  return strided_slice(x, begins, ends, steps);
}

Tensors slice_as_onnx(const OnnxImport& x) {
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

Tensors gather_as_onnx(const OnnxImport& x) {
  const int64_t axis = x.integer("axis", 0);
  if (const auto index = value_of(x.input(1)); index && index->dim() == 0)
    return {select(x.input(), index->item<int64_t>(), axis)};
  return {gather(x.input(), x.input(1), axis)};
}

/// Zeros around `x`, as many as a run's `pads` say.
Tensor pad_at_run_time(const Tensor& x, const Tensor& pads) {
  Tensor y = x;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const auto zeros_beside = [&](int64_t place) {
      Shape known = y.shape();
      known[static_cast<size_t>(axis)] = kDynamic;
      const Tensor sizes = shape(y), width = slice(pads, {place}, {1});
      const Tensor all = concat({slice(sizes, {0}, {axis}), width, slice(sizes, {axis + 1}, {-1})}, 0);
      return zeros({all, known}, x.dtype());
    };
    y = concat({zeros_beside(axis), y, zeros_beside(axis + x.rank())}, axis);
  }
  return y;
}

Tensors pad_as_onnx(const OnnxImport& x) {
  if (!value_of(x.input(1))) {
    if (x.text("mode", "constant") != "constant" || x.has(2))
      throw ImportFailure{"expected constants as pads, except for zeros"};
    if (x.input(1).shape() != Shape{2 * x.input().rank()})
      throw ImportFailure{"expected two pads for each dimension"};
    return {pad_at_run_time(x.input(), x.input(1))};
  }
  const Ints pads = x.constant_integers(1);
  check_lengths("pads", pads, 0);
  const size_t rank = pads.size() / 2;
  std::vector<std::pair<int64_t, int64_t>> paddings;
  for (size_t axis = 0; axis < rank; ++axis) paddings.emplace_back(pads[axis], pads[axis + rank]);
  const std::string mode = x.text("mode", "constant");
  if (mode == "reflect") return {pad(x.input(), paddings, {.mode = PadMode::kReflect})};
  if (mode != "constant") throw ImportFailure{"pads in the mode " + mode};
  return {pad(x.input(), paddings, {.value = x.has(2) ? x.constant(2).item().toDouble() : 0})};
}

/// True for the size, known or not, of dimension `axis` of `x`.
bool is_size_of(const Tensor& count, const Tensor& x, int64_t axis) {
  if (auto value = value_of(count)) return value->numel() == 1 && value->item<int64_t>() == x.dim(axis);
  const Node& node = count.node();
  return node.op_name() == "belfry::slice" && node.inputs()[0].node().op_name() == "belfry::shape" &&
         node.inputs()[0].node().inputs()[0] == x && node.attribute("begin").toIntVector() == Ints{axis} &&
         node.attribute("size").toIntVector() == Ints{1};
}

Tensors topk_as_onnx(const OnnxImport& x) {
  const Tensor& input = x.input();
  const int64_t axis = from_front({x.integer("axis", -1)}, input.rank())[0];
  const bool largest = x.integer("largest", 1) != 0;
  if (axis < 0 || axis >= input.rank()) throw ImportFailure{"orders a dimension that is not there"};
  if (is_size_of(x.input(1), input, axis))
    return call_multi("aten::sort.stable", {input},
                      {{"stable", true}, {"dim", axis}, {"descending", largest}});
  const Ints count = x.constant_integers(1);
  if (count.size() != 1) throw ImportFailure{"expected one number of elements"};
  return call_multi(
      "aten::topk", {input},
      {{"k", count[0]}, {"dim", axis}, {"largest", largest}, {"sorted", x.integer("sorted", 1) != 0}});
}

/// Additions to a tensor of static sizes.
Tensors scatter_nd_as_onnx(const OnnxImport& x) {
  if (x.text("reduction", "none") != "add") throw ImportFailure{"scatters other than by addition"};
  const Tensor& data = x.input(0);
  if (std::count(data.shape().begin(), data.shape().end(), kDynamic))
    throw ImportFailure{"scatters into a tensor of dynamic sizes"};
  const Tensor sum = scatter_nd(x.input(1), x.input(2), data.shape());
  const auto value = value_of(data);
  return {value && !value->any().item<bool>() ? sum : data + sum};
}

void add_lookups(OnnxBuilds& builds) {
  builds["Gather"] = gather_as_onnx;
  builds["GatherElements"] = [](const OnnxImport& x) -> Tensors {
    return {call("aten::gather", {x.input(), cast(x.input(1), kInt64)}, {{"dim", x.integer("axis", 0)}})};
  };
  builds["GatherND"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("batch_dims", 0) != 0) throw ImportFailure{"has dimensions of a batch"};
    return {gather_nd(x.input(0), x.input(1))};
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

void add_array_builds(OnnxBuilds& builds) {
  add_shapes(builds);
  add_repetitions(builds);
  add_parts(builds);
  add_lookups(builds);
}

}  // namespace belfry::internal
