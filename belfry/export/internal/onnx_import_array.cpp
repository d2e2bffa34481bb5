#include <ATen/ops/arange.h>

#include <algorithm>
#include <limits>

#include "belfry/export/internal/onnx_importer.h"
#include "belfry/graph/node.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
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
      remaining = x.dim(axis) == kDynamic ? kDynamic : remaining * x.dim(axis);
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
    const Ints ends = from_front({x.integer("start", 0), std::min(x.integer("end", rank), rank)}, rank);
    const Tensor sizes = shape(x.input());
    if (ends[0] == 0 && ends[1] == rank) return {sizes};
    return {slice(sizes, {ends[0]}, {ends[1] - ends[0]})};
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
    if (start && limit && delta)
      return {constant(at::arange(start->item(), limit->item(), delta->item(), start->scalar_type()))};
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

/// Slices of step 1 and, for whole dimensions, -1.
Tensors slice_as_onnx(const OnnxImport& x) {
  const Ints begin = x.constant_integers(1), end = x.constant_integers(2);
  Ints axes(begin.size()), steps(begin.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (x.has(3)) axes = from_front(x.constant_integers(3), x.input().rank());
  if (x.has(4)) steps = x.constant_integers(4);
  if (end.size() != begin.size() || axes.size() != begin.size() || steps.size() != begin.size())
    throw ImportFailure{"expected begins, ends, axes and steps of one length"};
  Tensor y = x.input();
  for (size_t i = 0; i < axes.size(); ++i) {
    if (steps[i] == -1 && begin[i] == -1 && end[i] < -std::numeric_limits<int32_t>::max()) {
      y = reverse(y, {axes[i]});
    } else if (steps[i] > 0) {
      y = call("aten::slice.Tensor", {y},
               {{"dim", axes[i]}, {"start", begin[i]}, {"end", end[i]}, {"step", steps[i]}});
    } else {
      throw ImportFailure{"steps backwards through a part"};
    }
  }
  return {y};
}

Tensors gather_as_onnx(const OnnxImport& x) {
  const int64_t axis = x.integer("axis", 0);
  if (const auto index = value_of(x.input(1)); index && index->dim() == 0)
    return {select(x.input(), index->item<int64_t>(), axis)};
  return {gather(x.input(), x.input(1), axis)};
}

Tensors pad_as_onnx(const OnnxImport& x) {
  const Ints pads = x.constant_integers(1);
  const size_t rank = pads.size() / 2;
  std::vector<std::pair<int64_t, int64_t>> paddings;
  for (size_t axis = 0; axis < rank; ++axis) paddings.emplace_back(pads[axis], pads[axis + rank]);
  const std::string mode = x.text("mode", "constant");
  if (mode == "reflect") return {pad(x.input(), paddings, {.mode = PadMode::kReflect})};
  if (mode != "constant") throw ImportFailure{"pads in the mode " + mode};
  return {pad(x.input(), paddings, {.value = x.has(2) ? x.constant(2).item().toDouble() : 0})};
}

void add_parts(OnnxBuilds& builds) {
  builds["Concat"] = [](const OnnxImport& x) -> Tensors {
    return {concat(x.inputs(), x.integer("axis", 0))};
  };
  builds["Split"] = split_as_onnx;
  builds["Slice"] = slice_as_onnx;
  builds["Gather"] = gather_as_onnx;
  builds["GatherElements"] = [](const OnnxImport& x) -> Tensors {
    return {call("aten::gather", {x.input(), cast(x.input(1), kInt64)}, {{"dim", x.integer("axis", 0)}})};
  };
  builds["Compress"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("axis", -1) != 0) throw ImportFailure{"compresses along another axis than 0"};
    return {boolean_mask(x.input(), x.input(1))};
  };
  builds["TopK"] = [](const OnnxImport& x) -> Tensors {
    return call_multi("aten::topk", {x.input()},
                      {{"k", x.constant_integers(1).at(0)},
                       {"dim", x.integer("axis", -1)},
                       {"largest", x.integer("largest", 1) != 0},
                       {"sorted", x.integer("sorted", 1) != 0}});
  };
  builds["Pad"] = pad_as_onnx;
}

}  // namespace

void add_array_builds(OnnxBuilds& builds) {
  add_shapes(builds);
  add_repetitions(builds);
  add_parts(builds);
}

}  // namespace belfry::internal
