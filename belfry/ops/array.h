#pragma once

#include <c10/core/Scalar.h>

#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/ops/run_time_shape.h"

namespace belfry {

// Places, sizes and counts may be integer tensors that the graph computes, of any integer dtype: lists, or
// scalars where one number is meant. What the graph knows of their elements (constants, shapes, and what is
// stacked of such: `stack({n, constant(3)})`) tells it the sizes of the result, the others are kDynamic.
// Numbers that do not fit are an error at the line where the graph knows them, else a DataError of the run.
// Exported, they are what ONNX or TensorFlow makes of them.

// An axis may count from the end: -1 is the last.

/// The sizes of `x` at run time: int64 [rank].
Tensor shape(const Tensor& x, const std::string& name = "");
/// The number of elements of `x` at run time: int64 scalar.
Tensor size(const Tensor& x, const std::string& name = "");

/// The same elements in another shape. One size may be -1: what is left.
Tensor reshape(const Tensor& x, const Shape& shape, const std::string& name = "");
/// As above, to a shape computed in the graph.
Tensor reshape(const Tensor& x, const RunTimeShape& shape, const std::string& name = "");
/// [N, ...] to [N, product of the rest].
Tensor batch_flatten(const Tensor& x, const std::string& name = "");
/// Dimension i of the result is dimension permutation[i] of `x`. A view: no element moves.
Tensor transpose(const Tensor& x, const std::vector<int64_t>& permutation, const std::string& name = "");
/// Inserts a dimension of size 1 before dimension `axis` of the result.
Tensor expand_dims(const Tensor& x, int64_t axis, const std::string& name = "");
/// Drops dimensions `axes`, which must be of size 1, be it that only a run shows it; empty: all whose size is
/// known to be 1.
Tensor squeeze(const Tensor& x, const std::vector<int64_t>& axes = {}, const std::string& name = "");
/// Repeats dimensions of size 1; -1 keeps a size.
Tensor broadcast_to(const Tensor& x, const Shape& shape, const std::string& name = "");
/// Repeats all of `x`, multiples[i] times along dimension i.
Tensor tile(const Tensor& x, const std::vector<int64_t>& multiples, const std::string& name = "");

Tensor concat(const std::vector<Tensor>& tensors, int64_t axis, const std::string& name = "");
/// Along a new dimension `axis`.
Tensor stack(const std::vector<Tensor>& tensors, int64_t axis = 0, const std::string& name = "");
/// `count` equal parts; the size must be a multiple.
std::vector<Tensor> split(const Tensor& x, int64_t count, int64_t axis, const std::string& name = "");
/// Parts of the given sizes, of which one may be -1: the rest, where the size of the dimension is known.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t axis,
                          const std::string& name = "");
/// One tensor for each index of dimension `axis`, whose size must be static.
std::vector<Tensor> unstack(const Tensor& x, int64_t axis = 0, const std::string& name = "");

/// Elements begin[i] up to begin[i] + size[i] of each dimension; a size of -1 takes all that follow.
Tensor slice(const Tensor& x, const std::vector<int64_t>& begin, const std::vector<int64_t>& size,
             const std::string& name = "");
/// As above, with integer tensors [rank of x]. `size.known` says what is known of the sizes of the result.
Tensor slice(const Tensor& x, const Tensor& begin, const RunTimeShape& size, const std::string& name = "");
/// Elements begin[i], begin[i] + strides[i], ... before end[i] of the first dimensions, and all of the
/// others, as Python's x[begin:end:stride]: negative begins and ends count from the end, those outside are
/// cut.
Tensor strided_slice(const Tensor& x, const std::vector<int64_t>& begin, const std::vector<int64_t>& end,
                     const std::vector<int64_t>& strides, const std::string& name = "");
/// As above, with integer tensors [count], where the graph knows the count.
Tensor strided_slice(const Tensor& x, const Tensor& begin, const Tensor& end, const Tensor& strides,
                     const std::string& name = "");
/// The part of `x` at `index` of dimension `axis`, without that dimension.
Tensor select(const Tensor& x, int64_t index, int64_t axis = 0, const std::string& name = "");
/// Slices of `x` along `axis`, picked by `indices` (any shape), whose shape stands in place of that
/// dimension.
Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis = 0, const std::string& name = "");
/// The slices x[indices[..., 0], ..., indices[..., K - 1]] of `indices` [..., K]: [..., rest of x]. Negative
/// indices are an error when the graph runs, as in gather and embedding_lookup.
Tensor gather_nd(const Tensor& x, const Tensor& indices, const std::string& name = "");
/// The opposite: zeros of `shape`, to which each slice of `updates` is added at its index.
Tensor scatter_nd(const Tensor& indices, const Tensor& updates, const Shape& shape,
                  const std::string& name = "");
/// Rows of `table` [V, D] for `ids` of any shape: [..., D].
Tensor embedding_lookup(const Tensor& table, const Tensor& ids, const std::string& name = "");
/// The elements of `x` where `mask` (bool, over the leading dimensions of `x`) holds, in order.
Tensor boolean_mask(const Tensor& x, const Tensor& mask, const std::string& name = "");
/// `x` where `condition` holds, else `y`; the three broadcast.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor where(const Tensor& condition, const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor where(const Tensor& condition, const c10::Scalar& x, const Tensor& y, const std::string& name = "");
/// The indices (int64) where `condition` holds, in order: [count, rank].
Tensor where(const Tensor& condition, const std::string& name = "");
/// The same elements in opposite order along `axes`.
Tensor reverse(const Tensor& x, const std::vector<int64_t>& axes, const std::string& name = "");

enum class PadMode { kConstant, kReflect, kSymmetric };
struct PadAttributes {
  PadMode mode = PadMode::kConstant;
  double value = 0;  ///< for kConstant
};
/// Adds paddings[i].first elements before, and paddings[i].second after, dimension i. kReflect and kSymmetric
/// mirror without and with the border itself.
Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& paddings,
           const PadAttributes& attributes = {}, const std::string& name = "");
/// As above, with `paddings` an integer tensor [rank of x, 2].
Tensor pad(const Tensor& x, const Tensor& paddings, const PadAttributes& attributes = {},
           const std::string& name = "");

/// 1 at each index along a new last dimension of size `depth`, which may be 0, else 0. An index out of range
/// gives zeros.
Tensor one_hot(const Tensor& indices, int64_t depth, DType dtype = kFloat32, const std::string& name = "");
/// As above, with `depth` an integer scalar computed in the graph.
Tensor one_hot(const Tensor& indices, const Tensor& depth, DType dtype = kFloat32,
               const std::string& name = "");

/// Values, largest first, and indices (int64) of the `k` largest elements of the last dimension. Of equal
/// elements the lower index is first; NaN counts as the largest, and as equal to NaN.
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, const std::string& name = "");
/// As above, with `k` an integer scalar computed in the graph.
std::pair<Tensor, Tensor> topk(const Tensor& x, const Tensor& k, const std::string& name = "");

struct SortAttributes {
  int64_t axis = -1;
  bool descending = false;
};
/// The elements in order along one dimension, and the indices (int64) that sort them. Equal elements keep
/// their order; NaN counts as the largest.
Tensor sort(const Tensor& x, const SortAttributes& attributes = {}, const std::string& name = "");
Tensor argsort(const Tensor& x, const SortAttributes& attributes = {}, const std::string& name = "");

/// True at the first lengths[i] of `max_length` places: integers [...] to [..., max_length].
Tensor sequence_mask(const Tensor& lengths, int64_t max_length, DType dtype = kBool,
                     const std::string& name = "");

Tensor zeros(const Shape& shape, DType dtype = kFloat32, const std::string& name = "");
Tensor ones(const Shape& shape, DType dtype = kFloat32, const std::string& name = "");
Tensor fill(const Shape& shape, const c10::Scalar& value, DType dtype = kFloat32,
            const std::string& name = "");
Tensor zeros(const RunTimeShape& shape, DType dtype = kFloat32, const std::string& name = "");
Tensor ones(const RunTimeShape& shape, DType dtype = kFloat32, const std::string& name = "");
Tensor fill(const RunTimeShape& shape, const c10::Scalar& value, DType dtype = kFloat32,
            const std::string& name = "");
Tensor zeros_like(const Tensor& x, const std::string& name = "");
Tensor ones_like(const Tensor& x, const std::string& name = "");
/// start, start + delta, ... below `limit`; int64 when all three are whole numbers, else float32. Their
/// number is worked out in float64, as numpy's; TensorFlow's, in float32, may be one less or more for
/// fractions.
Tensor range(const c10::Scalar& start, const c10::Scalar& limit, const c10::Scalar& delta = 1,
             const std::string& name = "");
/// 0, 1, ... below `limit`; int64 when it is a whole number, else float32.
Tensor range(const c10::Scalar& limit);
/// `count` numbers at equal distances from `start` to `stop`, both included.
Tensor linspace(double start, double stop, int64_t count, DType dtype = kFloat32,
                const std::string& name = "");
/// 1 on the diagonal, else 0: [rows, columns].
Tensor eye(int64_t rows, int64_t columns, DType dtype = kFloat32, const std::string& name = "");
/// Matrices with `x` on their diagonals: [..., N] to [..., N, N].
Tensor diag(const Tensor& x, const std::string& name = "");
/// The diagonals of matrices: [..., M, N] to [..., min(M, N)].
Tensor diag_part(const Tensor& x, const std::string& name = "");
/// 0, 1, ... below `limit`, an integer scalar computed in the graph: int64 [limit].
Tensor range(const Tensor& limit, const std::string& name = "");

}  // namespace belfry
