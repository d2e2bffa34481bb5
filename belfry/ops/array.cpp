#include "belfry/ops/array.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/ops/call.h"
#include "belfry/ops/internal/known_integers.h"
#include "belfry/ops/internal/scalar.h"
#include "belfry/ops/state.h"

// One call for each operator where ATen or a kernel of ours has TensorFlow's meaning. Where a size is known
// only to a run, a function adds the nodes that compute it (Shape and what follows from it) instead of
// refusing.
namespace belfry {

using internal::attribute_of;

namespace {

using Integers = std::vector<int64_t>;

/// Of a tensor that lists places or sizes; empty where the graph does not know how many.
Integers known_of(const Tensor& list) {
  return internal::known_integers(list).value_or(Integers());
}

/// The elements of a tensor of that rank, where the graph knows each of them.
std::optional<Integers> constants_of(const Tensor& tensor, int64_t rank) {
  return tensor.rank() == rank ? internal::constant_integers(tensor) : std::nullopt;
}

}  // namespace

Tensor shape(const Tensor& x, const std::string& name) {
  return call("belfry::shape", {x}, {}, name);
}
Tensor size(const Tensor& x, const std::string& name) {
  return call("belfry::size", {x}, {}, name);
}

Tensor reshape(const Tensor& x, const Shape& shape, const std::string& name) {
  return call("aten::reshape", {x}, {{"shape", shape}}, name);
}
Tensor reshape(const Tensor& x, const RunTimeShape& shape, const std::string& name) {
  if (const auto sizes = internal::constant_shape(shape)) return reshape(x, *sizes, name);
  return call("belfry::reshape", {x, shape.sizes}, {{"known", shape.known}}, name);
}
Tensor batch_flatten(const Tensor& x, const std::string& name) {
  const std::string node_name = name.empty() ? "batch_flatten" : name;
  if (x.rank() == 1) return expand_dims(x, 1, node_name);
  return call("aten::flatten.using_ints", {x}, {{"start_dim", 1}}, node_name);
}
Tensor transpose(const Tensor& x, const std::vector<int64_t>& permutation, const std::string& name) {
  return call("aten::permute", {x}, {{"dims", permutation}}, name.empty() ? "transpose" : name);
}
Tensor expand_dims(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::unsqueeze", {x}, {{"dim", axis}}, name.empty() ? "expand_dims" : name);
}
namespace {

/// Drops dimensions of which the graph does not know that they are of size 1; a run where one is not is an
/// error, as the number of elements differs.
Tensor squeeze_unknown(const Tensor& x, const std::vector<bool>& dropped, const std::string& name) {
  std::vector<int64_t> kept;
  Shape known;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (dropped[static_cast<size_t>(axis)]) continue;
    kept.push_back(axis);
    known.push_back(x.dim(axis));
  }
  const std::string node_name = name.empty() ? "squeeze" : name;
  const Tensor axes = constant(kept, {static_cast<int64_t>(kept.size())}, kInt64, node_name + "/kept");
  const Tensor sizes = gather(shape(x, node_name + "/shape"), axes, 0, node_name + "/sizes");
  return reshape(x, {sizes, known}, node_name);
}

}  // namespace

Tensor squeeze(const Tensor& x, const std::vector<int64_t>& axes, const std::string& name) {
  std::vector<bool> dropped(static_cast<size_t>(x.rank()), false);
  bool known = true;
  for (int64_t axis : axes) {
    const int64_t size = x.dim(axis);
    if (size != 1 && size != kDynamic) {
      throw UsageError(
          fmt::format("[squeeze {}] expected size 1 at dimension {}, got {}", name, axis, describe(x)));
    }
    dropped[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)] = true;
    known = known && size == 1;
  }
  if (!known) return squeeze_unknown(x, dropped, name);
  std::vector<int64_t> list = axes;
  for (int64_t axis = 0; axes.empty() && axis < x.rank(); ++axis) {
    if (x.dim(axis) == 1) list.push_back(axis);
  }
  return call("aten::squeeze.dims", {x}, {{"dim", list}}, name);
}
Tensor broadcast_to(const Tensor& x, const Shape& shape, const std::string& name) {
  return call("aten::expand", {x}, {{"size", shape}}, name.empty() ? "broadcast_to" : name);
}
Tensor tile(const Tensor& x, const std::vector<int64_t>& multiples, const std::string& name) {
  if (static_cast<int64_t>(multiples.size()) != x.rank()) {
    throw UsageError(fmt::format("[tile {}] expected {} multiples for {}, got {}", name, x.rank(),
                                 describe(x), multiples));
  }
  return call("aten::repeat", {x}, {{"repeats", multiples}}, name.empty() ? "tile" : name);
}

Tensor concat(const std::vector<Tensor>& tensors, int64_t axis, const std::string& name) {
  return call("aten::cat", tensors, {{"dim", axis}}, name.empty() ? "concat" : name);
}
Tensor stack(const std::vector<Tensor>& tensors, int64_t axis, const std::string& name) {
  return call("aten::stack", tensors, {{"dim", axis}}, name);
}
std::vector<Tensor> split(const Tensor& x, int64_t count, int64_t axis, const std::string& name) {
  return call_multi("belfry::split", {x}, {{"count", count}, {"axis", axis}}, name);
}
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t axis,
                          const std::string& name) {
  std::vector<int64_t> parts = sizes;
  const auto rest = std::ranges::find(parts, -1);
  if (rest != parts.end()) {
    const int64_t given = std::accumulate(parts.begin(), parts.end(), int64_t{1});
    if (x.dim(axis) == kDynamic || x.dim(axis) < given) {
      throw UsageError(fmt::format("[split {}] expected a known size of at least {} at dimension {}, got {}",
                                   name, given, axis, describe(x)));
    }
    *rest = x.dim(axis) - given;
  }
  return call_multi("aten::split_with_sizes", {x}, {{"split_sizes", parts}, {"dim", axis}},
                    name.empty() ? "split" : name);
}
std::vector<Tensor> unstack(const Tensor& x, int64_t axis, const std::string& name) {
  if (x.dim(axis) == kDynamic) {
    throw UsageError(
        fmt::format("[unstack {}] expected a static size at dimension {}, got {}", name, axis, describe(x)));
  }
  return call_multi("aten::unbind.int", {x}, {{"dim", axis}}, name.empty() ? "unstack" : name);
}

Tensor slice(const Tensor& x, const std::vector<int64_t>& begin, const std::vector<int64_t>& size,
             const std::string& name) {
  return call("belfry::slice", {x}, {{"begin", begin}, {"size", size}}, name);
}
Tensor strided_slice(const Tensor& x, const std::vector<int64_t>& begin, const std::vector<int64_t>& end,
                     const std::vector<int64_t>& strides, const std::string& name) {
  return call("belfry::strided_slice", {x}, {{"begin", begin}, {"end", end}, {"strides", strides}}, name);
}
Tensor slice(const Tensor& x, const Tensor& begin, const RunTimeShape& size, const std::string& name) {
  const auto begins = constants_of(begin, 1), sizes = internal::constant_shape(size);
  if (begins && sizes) return slice(x, *begins, *sizes, name);
  return call("belfry::slice.tensors", {x, begin, size.sizes},
              {{"known_begin", known_of(begin)}, {"known_size", known_of(size.sizes)}, {"known", size.known}},
              name);
}
Tensor strided_slice(const Tensor& x, const Tensor& begin, const Tensor& end, const Tensor& strides,
                     const std::string& name) {
  const auto begins = constants_of(begin, 1), ends = constants_of(end, 1), steps = constants_of(strides, 1);
  if (begins && ends && steps) return strided_slice(x, *begins, *ends, *steps, name);
  return call(
      "belfry::strided_slice.tensors", {x, begin, end, strides},
      {{"known_begin", known_of(begin)}, {"known_end", known_of(end)}, {"known_strides", known_of(strides)}},
      name);
}
Tensor select(const Tensor& x, int64_t index, int64_t axis, const std::string& name) {
  return call("aten::select.int", {x}, {{"dim", axis}, {"index", index}}, name);
}
Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis, const std::string& name) {
  return call("belfry::gather", {x, indices}, {{"axis", axis}}, name);
}
Tensor gather_nd(const Tensor& x, const Tensor& indices, const std::string& name) {
  return call("belfry::gather_nd", {x, indices}, {}, name);
}
Tensor scatter_nd(const Tensor& indices, const Tensor& updates, const Shape& shape, const std::string& name) {
  return call("belfry::scatter_nd", {indices, updates}, {{"shape", shape}}, name);
}
Tensor embedding_lookup(const Tensor& table, const Tensor& ids, const std::string& name) {
  return call("aten::embedding", {table, ids}, {}, name.empty() ? "embedding_lookup" : name);
}
Tensor boolean_mask(const Tensor& x, const Tensor& mask, const std::string& name) {
  return call("belfry::boolean_mask", {x, mask}, {}, name);
}
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::where.self", {condition, x, y}, {}, name);
}
Tensor where(const Tensor& condition, const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return call("aten::where.ScalarOther", {condition, x}, {{"other", attribute_of(y)}}, name);
}
Tensor where(const Tensor& condition, const c10::Scalar& x, const Tensor& y, const std::string& name) {
  return call("aten::where.ScalarSelf", {condition, y}, {{"self", attribute_of(x)}}, name);
}
Tensor where(const Tensor& condition, const std::string& name) {
  return call("aten::nonzero", {condition}, {}, name.empty() ? "where" : name);
}
Tensor reverse(const Tensor& x, const std::vector<int64_t>& axes, const std::string& name) {
  return call("aten::flip", {x}, {{"dims", axes}}, name.empty() ? "reverse" : name);
}

namespace {

const char* name_of(PadMode mode) {
  return mode == PadMode::kConstant ? "constant" : mode == PadMode::kReflect ? "reflect" : "symmetric";
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& paddings,
           const PadAttributes& attributes, const std::string& name) {
  std::vector<int64_t> flat;
  for (const auto& [before, after] : paddings) flat.insert(flat.end(), {before, after});
  return call("belfry::pad", {x},
              {{"paddings", flat}, {"mode", name_of(attributes.mode)}, {"value", attributes.value}}, name);
}
Tensor pad(const Tensor& x, const Tensor& paddings, const PadAttributes& attributes,
           const std::string& name) {
  const auto constants = constants_of(paddings, 2);
  if (constants && paddings.dim(1) == 2) {
    std::vector<std::pair<int64_t, int64_t>> pairs;
    for (size_t i = 0; i < constants->size(); i += 2)
      pairs.emplace_back((*constants)[i], (*constants)[i + 1]);
    return pad(x, pairs, attributes, name);
  }
  return call("belfry::pad.tensor", {x, paddings},
              {{"known_paddings", known_of(paddings)},
               {"mode", name_of(attributes.mode)},
               {"value", attributes.value}},
              name);
}

Tensor one_hot(const Tensor& indices, int64_t depth, DType dtype, const std::string& name) {
  return call("belfry::one_hot", {indices}, {{"depth", depth}, {"dtype", dtype}}, name);
}
Tensor one_hot(const Tensor& indices, const Tensor& depth, DType dtype, const std::string& name) {
  if (const auto known = constants_of(depth, 0)) return one_hot(indices, known->at(0), dtype, name);
  return call("belfry::one_hot.tensor", {indices, depth}, {{"dtype", dtype}}, name);
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, const std::string& name) {
  const auto outputs = call_multi("aten::topk", {x}, {{"k", k}}, name);
  return {outputs[0], outputs[1]};
}
std::pair<Tensor, Tensor> topk(const Tensor& x, const Tensor& k, const std::string& name) {
  if (const auto known = constants_of(k, 0)) return topk(x, known->at(0), name);
  const auto outputs = call_multi("belfry::topk.tensor", {x, k}, {}, name);
  return {outputs[0], outputs[1]};
}

Tensor sort(const Tensor& x, const SortAttributes& attributes, const std::string& name) {
  return call_multi("aten::sort.stable", {x},
                    {{"stable", true}, {"dim", attributes.axis}, {"descending", attributes.descending}},
                    name)[0];
}
Tensor argsort(const Tensor& x, const SortAttributes& attributes, const std::string& name) {
  return call("aten::argsort.stable", {x},
              {{"stable", true}, {"dim", attributes.axis}, {"descending", attributes.descending}}, name);
}

Tensor sequence_mask(const Tensor& lengths, int64_t max_length, DType dtype, const std::string& name) {
  return call("belfry::sequence_mask", {lengths}, {{"max_length", max_length}, {"dtype", dtype}}, name);
}

Tensor zeros(const Shape& shape, DType dtype, const std::string& name) {
  return call("aten::zeros", {}, {{"size", shape}, {"dtype", dtype}}, name);
}
Tensor ones(const Shape& shape, DType dtype, const std::string& name) {
  return call("aten::ones", {}, {{"size", shape}, {"dtype", dtype}}, name);
}
Tensor fill(const Shape& shape, const c10::Scalar& value, DType dtype, const std::string& name) {
  return call("aten::full", {}, {{"size", shape}, {"fill_value", attribute_of(value)}, {"dtype", dtype}},
              name.empty() ? "fill" : name);
}
Tensor zeros(const RunTimeShape& shape, DType dtype, const std::string& name) {
  return fill(shape, 0, dtype, name.empty() ? "zeros" : name);
}
Tensor ones(const RunTimeShape& shape, DType dtype, const std::string& name) {
  return fill(shape, 1, dtype, name.empty() ? "ones" : name);
}
Tensor fill(const RunTimeShape& shape, const c10::Scalar& value, DType dtype, const std::string& name) {
  if (const auto sizes = internal::constant_shape(shape)) return fill(*sizes, value, dtype, name);
  return call("belfry::fill", {shape.sizes},
              {{"value", attribute_of(value)}, {"dtype", dtype}, {"known", shape.known}}, name);
}
Tensor zeros_like(const Tensor& x, const std::string& name) {
  return call("aten::zeros_like", {x}, {}, name);
}
Tensor ones_like(const Tensor& x, const std::string& name) {
  return call("aten::ones_like", {x}, {}, name);
}

Tensor range(const c10::Scalar& start, const c10::Scalar& limit, const c10::Scalar& delta,
             const std::string& name) {
  const bool whole = !start.isFloatingPoint() && !limit.isFloatingPoint() && !delta.isFloatingPoint();
  return call("aten::arange.start_step", {},
              {{"start", attribute_of(start)},
               {"end", attribute_of(limit)},
               {"step", attribute_of(delta)},
               {"dtype", whole ? kInt64 : kFloat32}},
              name.empty() ? "range" : name);
}
Tensor range(const c10::Scalar& limit) {
  return range(0, limit, 1);
}
Tensor linspace(double start, double stop, int64_t count, DType dtype, const std::string& name) {
  return call("aten::linspace", {}, {{"start", start}, {"end", stop}, {"steps", count}, {"dtype", dtype}},
              name);
}
Tensor eye(int64_t rows, int64_t columns, DType dtype, const std::string& name) {
  return call("aten::eye.m", {}, {{"n", rows}, {"m", columns}, {"dtype", dtype}}, name);
}
Tensor diag(const Tensor& x, const std::string& name) {
  return call("aten::diag_embed", {x}, {}, name.empty() ? "diag" : name);
}
Tensor diag_part(const Tensor& x, const std::string& name) {
  return call("aten::diagonal", {x}, {{"dim1", -2}, {"dim2", -1}}, name.empty() ? "diag_part" : name);
}
Tensor range(const Tensor& limit, const std::string& name) {
  if (const auto known = constants_of(limit, 0)) return range(0, known->at(0), 1, name);
  return call("belfry::range", {limit}, {}, name);
}

}  // namespace belfry
