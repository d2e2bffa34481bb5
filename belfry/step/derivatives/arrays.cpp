#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of what moves elements about: the gradient moves the other way.

namespace belfry::internal {
namespace {

/// The only input, whatever the schema calls it, in its shape.
bool reshaped(Backprop& b) {
  b.give(size_t{0}, reshape(b.gradient(), b.node().inputs()[0].shape()));
  return true;
}

bool pass_on(Backprop& b) {
  b.give(size_t{0}, b.gradient());
  return true;
}

bool permute(Backprop& b) {
  std::vector<int64_t> dims = b.integers("dims");
  for (int64_t& axis : dims) axis += axis < 0 ? b.gradient().rank() : 0;
  std::vector<int64_t> back(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) back[static_cast<size_t>(dims[i])] = static_cast<int64_t>(i);
  b.give("self", transpose(b.gradient(), back));
  return true;
}

bool swap_last(Backprop& b) {
  b.give("self", call("aten::mT", {b.gradient()}));
  return true;
}

int64_t axis_of(const Backprop& b, const char* name, int64_t rank) {
  const int64_t axis = b.attribute(name).toInt();
  return axis < 0 ? axis + rank : axis;
}

/// `count` elements from `begin` on along an axis.
Tensor part(const Tensor& x, int64_t axis, int64_t begin, int64_t count) {
  std::vector<int64_t> begins(static_cast<size_t>(x.rank()), 0);
  Shape size = x.shape();
  begins[static_cast<size_t>(axis)] = begin;
  size[static_cast<size_t>(axis)] = count;
  return slice(x, begins, size);
}

bool concat(Backprop& b) {
  const int64_t axis = axis_of(b, "dim", b.gradient().rank());
  int64_t begin = 0;
  for (size_t i = 0; i < b.node().inputs().size(); ++i) {
    const Tensor& input = b.node().inputs()[i];
    if (input.rank() != b.gradient().rank()) continue;  // ATen takes empty vectors beside anything
    const int64_t count = input.dim(axis);
    b.give(i, part(b.gradient(), axis, begin, count));
    begin += count;
  }
  return true;
}

bool stack(Backprop& b) {
  const int64_t axis = axis_of(b, "dim", b.gradient().rank());
  for (size_t i = 0; i < b.node().inputs().size(); ++i)
    b.give(i, select(b.gradient(), static_cast<int64_t>(i), axis));
  return true;
}

/// Parts along an axis that together are the input; zeros where no gradient flows.
bool split_along(Backprop& b, int64_t axis) {
  std::vector<Tensor> parts;
  for (int i = 0; i < static_cast<int>(b.node().outputs().size()); ++i) {
    const Tensor g = b.gradient(i);
    parts.push_back(g.defined() ? g : zeros_like(b.output(i)));
  }
  b.give(size_t{0}, parts.size() == 1 ? parts[0] : belfry::concat(parts, axis));
  return true;
}

bool split(Backprop& b) {
  return split_along(b, axis_of(b, "axis", b.node().inputs()[0].rank()));
}

bool split_with_sizes(Backprop& b) {
  return split_along(b, axis_of(b, "dim", b.node().inputs()[0].rank()));
}

bool unstack(Backprop& b) {
  const int64_t axis = axis_of(b, "dim", b.node().inputs()[0].rank());
  std::vector<Tensor> parts;
  for (int i = 0; i < static_cast<int>(b.node().outputs().size()); ++i) {
    const Tensor g = b.gradient(i);
    parts.push_back(g.defined() ? g : zeros_like(b.output(i)));
  }
  b.give(size_t{0}, belfry::stack(parts, axis));
  return true;
}

/// Zeros around the gradient of a part that begins there.
Tensor surrounded(const Tensor& g, const Shape& shape, const std::vector<int64_t>& begin) {
  std::vector<std::pair<int64_t, int64_t>> paddings;
  for (size_t i = 0; i < shape.size(); ++i)
    paddings.emplace_back(begin[i], shape[i] - begin[i] - g.shape()[i]);
  return pad(g, paddings);
}

bool slice_part(Backprop& b) {
  const Tensor x = b.input("x");
  if (c10::multiply_integers(b.gradient().shape()) == 0) return false;
  b.give("x", surrounded(b.gradient(), x.shape(), b.integers("begin")));
  return true;
}

bool slice_at_run_time(Backprop& b) {
  b.give("x", call("belfry::slice_backprop", {b.gradient(), b.input("begin")},
                   {{"input_size", b.input("x").shape()}}));
  return true;
}

bool select_index(Backprop& b) {
  const Tensor x = b.input("self");
  const int64_t axis = axis_of(b, "dim", x.rank());
  int64_t index = b.attribute("index").toInt();
  index += index < 0 ? x.dim(axis) : 0;
  std::vector<int64_t> begin(static_cast<size_t>(x.rank()), 0);
  begin[static_cast<size_t>(axis)] = index;
  Shape one = x.shape();
  one[static_cast<size_t>(axis)] = 1;
  b.give("self", surrounded(reshape(b.gradient(), one), x.shape(), begin));
  return true;
}

bool pad_around(Backprop& b) {
  const std::string mode = b.attribute("mode").toStringRef();
  if (mode != "constant") {
    b.give("x", call("belfry::mirror_pad_backprop", {b.gradient()},
                     {{"paddings", b.integers("paddings")}, {"mode", mode}}));
    return true;
  }
  const auto paddings = b.integers("paddings");
  std::vector<int64_t> begin;
  for (size_t i = 0; i < paddings.size(); i += 2) {
    if (paddings[i] < 0 || paddings[i + 1] < 0) return false;
    begin.push_back(paddings[i]);
  }
  b.give("x", slice(b.gradient(), begin, b.input("x").shape()));
  return true;
}

/// [count, ...] added up by the rows that `indices` picked of `rows` rows.
Tensor sum_rows(const Tensor& g, const Tensor& indices, int64_t rows) {
  return call("aten::embedding_dense_backward", {g, indices},
              {{"num_weights", rows}, {"padding_idx", -1}, {"scale_grad_by_freq", false}});
}

bool embedding(Backprop& b) {
  b.give("weight", sum_rows(b.gradient(), b.input("indices"), b.input("weight").dim(0)));
  return true;
}

/// As embedding, of [before, axis, after] turned to rows of the axis.
bool gather(Backprop& b) {
  const Tensor x = b.input("x"), indices = b.input("indices");
  const int64_t axis = axis_of(b, "axis", x.rank()), count = c10::multiply_integers(indices.shape());
  int64_t before = 1, after = 1;
  for (int64_t i = 0; i < axis; ++i) before *= x.dim(i);
  for (int64_t i = axis + 1; i < x.rank(); ++i) after *= x.dim(i);
  if (count == 0 || before * after == 0) return false;
  const Tensor flat = reshape(indices, {count});
  const Tensor rows =
      before == 1 ? b.gradient() : transpose(reshape(b.gradient(), {before, count, after}), {1, 0, 2});
  const Tensor sums = sum_rows(reshape(rows, {count, before * after}), flat, x.dim(axis));
  b.give("x", before == 1
                  ? reshape(sums, x.shape())
                  : reshape(transpose(reshape(sums, {x.dim(axis), before, after}), {1, 0, 2}), x.shape()));
  return true;
}

bool gather_nd(Backprop& b) {
  b.give("x", belfry::scatter_nd(b.input("indices"), b.gradient(), b.input("x").shape()));
  return true;
}

bool scatter_nd(Backprop& b) {
  b.give("updates", belfry::gather_nd(b.gradient(), b.input("indices")));
  return true;
}

/// Values that were picked by their indices along an axis, each once.
bool picked(Backprop& b) {
  if (!b.gradient().defined()) return true;
  b.give("self", call("aten::scatter.src", {zeros_like(b.input("self")), b.output(1), b.gradient()},
                      {{"dim", b.attribute("dim").toInt()}}));
  return true;
}

bool flip(Backprop& b) {
  b.give("self", reverse(b.gradient(), b.integers("dims")));
  return true;
}

bool strided_slice(Backprop& b) {
  b.give("x", call("belfry::strided_slice_backprop", {b.gradient()},
                   {{"input_size", b.input("x").shape()},
                    {"begin", b.integers("begin")},
                    {"end", b.integers("end")},
                    {"strides", b.integers("strides")}}));
  return true;
}

/// Sums over the copies, which lie [times, size] along each axis.
bool repeat(Backprop& b) {
  const std::vector<int64_t> times = b.integers("repeats");
  const Shape& shape = b.input("self").shape();
  const size_t added = times.size() - shape.size();
  Shape copies;
  std::vector<int64_t> axes;
  for (size_t i = 0; i < times.size(); ++i) {
    axes.push_back(static_cast<int64_t>(copies.size()));
    copies.insert(copies.end(), {times[i], i < added ? 1 : shape[i - added]});
  }
  if (axes.empty()) {
    b.give("self", b.gradient());
    return true;
  }
  b.give("self", reshape(sum(reshape(b.gradient(), copies), axes), shape));
  return true;
}

bool diag(Backprop& b) {
  b.give("self", call("aten::diagonal", {b.gradient()},
                      {{"offset", b.attribute("offset").toInt()},
                       {"dim1", b.attribute("dim1").toInt()},
                       {"dim2", b.attribute("dim2").toInt()}}));
  return true;
}

bool diag_part(Backprop& b) {
  b.give("self", call("aten::diagonal_backward", {b.gradient()},
                      {{"input_sizes", b.input("self").shape()},
                       {"offset", b.attribute("offset").toInt()},
                       {"dim1", b.attribute("dim1").toInt()},
                       {"dim2", b.attribute("dim2").toInt()}}));
  return true;
}

}  // namespace

void add_array_derivatives(DerivativeRules& rules) {
  for (const char* op : {"aten::reshape", "aten::flatten.using_ints", "aten::unflatten.int",
                         "aten::unsqueeze", "aten::squeeze.dims", "belfry::reshape"})
    rules[op] = reshaped;
  rules["aten::alias"] = pass_on;
  rules["aten::expand"] = pass_on;
  rules["aten::permute"] = permute;
  rules["aten::mT"] = swap_last;
  rules["aten::cat"] = concat;
  rules["aten::stack"] = stack;
  rules["belfry::split"] = split;
  rules["aten::split_with_sizes"] = split_with_sizes;
  rules["aten::unbind.int"] = unstack;
  rules["belfry::slice"] = slice_part;
  rules["belfry::slice.tensors"] = slice_at_run_time;
  rules["aten::select.int"] = select_index;
  rules["belfry::pad"] = pad_around;
  rules["aten::embedding"] = embedding;
  rules["belfry::gather"] = gather;
  rules["belfry::gather_nd"] = gather_nd;
  rules["belfry::scatter_nd"] = scatter_nd;
  rules["aten::topk"] = picked;
  rules["aten::sort.stable"] = picked;
  rules["aten::flip"] = flip;
  rules["belfry::strided_slice"] = strided_slice;
  rules["aten::repeat"] = repeat;
  rules["aten::diag_embed"] = diag;
  rules["aten::diagonal"] = diag_part;
}

}  // namespace belfry::internal
