#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

/// Dimensions to reduce: one, a list, or all of them. Negative ones count from the end.
class Axes {
 public:
  Axes() = default;  ///< all
  Axes(int64_t axis) : axes_{axis} {}
  Axes(std::initializer_list<int64_t> axes) : axes_(axes) {}
  Axes(std::vector<int64_t> axes) : axes_(std::move(axes)) {}

  /// Empty: all.
  const std::vector<int64_t>& list() const { return axes_; }

 private:
  std::vector<int64_t> axes_;
};

struct ReduceAttributes {
  /// Keeps reduced dimensions, with size 1.
  bool keep_dims = false;
};

/// What stands for a name where a list of axes may stand too.
template <typename T>
concept NameLike = std::convertible_to<const T&, std::string_view>;

// Reductions over `axes`: `mean(x)`, `mean(x, {1, 2})`, `sum(x, -1, {.keep_dims = true}, "total")`, and
// `mean(x, "cost")`.

/// Integers keep their dtype, and may overflow in it; bools are counted in int64.
Tensor sum(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
           const std::string& name = "");
/// Integers are an error: cast first.
Tensor mean(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
            const std::string& name = "");
Tensor max(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
           const std::string& name = "");
Tensor min(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
           const std::string& name = "");
/// Dtypes as of sum.
Tensor prod(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
            const std::string& name = "");
Tensor any(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
           const std::string& name = "");
Tensor all(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
           const std::string& name = "");
/// log(sum(exp(x))), without overflow.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
                 const std::string& name = "");

/// The mean square of the differences from the mean, and its square root.
Tensor variance(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
                const std::string& name = "");
Tensor stddev(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
              const std::string& name = "");
/// The Euclidean norm: sqrt(sum(x^2)).
Tensor norm(const Tensor& x, const Axes& axes = {}, const ReduceAttributes& attributes = {},
            const std::string& name = "");

template <NameLike T>
Tensor sum(const Tensor& x, const T& name) {
  return sum(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor mean(const Tensor& x, const T& name) {
  return mean(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor max(const Tensor& x, const T& name) {
  return max(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor min(const Tensor& x, const T& name) {
  return min(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor prod(const Tensor& x, const T& name) {
  return prod(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor any(const Tensor& x, const T& name) {
  return any(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor all(const Tensor& x, const T& name) {
  return all(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor logsumexp(const Tensor& x, const T& name) {
  return logsumexp(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor variance(const Tensor& x, const T& name) {
  return variance(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor stddev(const Tensor& x, const T& name) {
  return stddev(x, Axes(), {}, std::string(name));
}
template <NameLike T>
Tensor norm(const Tensor& x, const T& name) {
  return norm(x, Axes(), {}, std::string(name));
}

/// Mean and biased variance over `axes`.
std::pair<Tensor, Tensor> moments(const Tensor& x, const Axes& axes = {},
                                  const ReduceAttributes& attributes = {}, const std::string& name = "");

/// Index (int64) of the largest element along `axis`; the first of equal ones, or the first NaN.
Tensor argmax(const Tensor& x, int64_t axis, const std::string& name = "");
Tensor argmin(const Tensor& x, int64_t axis, const std::string& name = "");

}  // namespace belfry
