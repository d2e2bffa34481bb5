#include "belfry/ops/reduce.h"

#include <algorithm>
#include <numeric>

#include "belfry/ops/call.h"
#include "belfry/ops/internal/sum_dtype.h"

namespace belfry {
namespace {

/// Axes 0 and -1 of a scalar, which ATen takes and files for others cannot say, are none.
std::vector<int64_t> list_of(const Tensor& x, const Axes& axes) {
  const auto is_of_scalar = [](int64_t axis) { return axis == 0 || axis == -1; };
  if (x.rank() == 0 && std::ranges::all_of(axes.list(), is_of_scalar)) return {};
  return axes.list();
}

Attribute list_or_none(const Tensor& x, const Axes& axes) {
  const std::vector<int64_t> list = list_of(x, axes);
  return list.empty() ? Attribute() : Attribute(list);
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call(
      "aten::sum.dim_IntList", {x},
      {{"dim", list_or_none(x, axes)}, {"keepdim", attributes.keep_dims}, {"dtype", internal::sum_dtype(x)}},
      name);
}
Tensor mean(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call("aten::mean.dim", {x}, {{"dim", list_or_none(x, axes)}, {"keepdim", attributes.keep_dims}},
              name);
}
Tensor max(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call("aten::amax", {x}, {{"dim", list_of(x, axes)}, {"keepdim", attributes.keep_dims}},
              name.empty() ? "max" : name);
}
Tensor min(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call("aten::amin", {x}, {{"dim", list_of(x, axes)}, {"keepdim", attributes.keep_dims}},
              name.empty() ? "min" : name);
}
Tensor prod(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call(
      "belfry::prod", {x},
      {{"axes", list_of(x, axes)}, {"keep_dims", attributes.keep_dims}, {"dtype", internal::sum_dtype(x)}},
      name);
}
Tensor any(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call("aten::any.dims", {x}, {{"dim", list_or_none(x, axes)}, {"keepdim", attributes.keep_dims}},
              name);
}
Tensor all(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call("aten::all.dims", {x}, {{"dim", list_or_none(x, axes)}, {"keepdim", attributes.keep_dims}},
              name);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
                 const std::string& name) {
  std::vector<int64_t> dims = list_of(x, axes);
  if (dims.empty()) {
    dims.resize(static_cast<size_t>(x.rank()));
    std::iota(dims.begin(), dims.end(), 0);
  }
  return call("aten::logsumexp", {x}, {{"dim", dims}, {"keepdim", attributes.keep_dims}}, name);
}

Tensor variance(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
                const std::string& name) {
  return call("aten::var.correction", {x},
              {{"dim", list_or_none(x, axes)}, {"correction", 0}, {"keepdim", attributes.keep_dims}},
              name.empty() ? "variance" : name);
}
Tensor stddev(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
              const std::string& name) {
  return call("aten::std.correction", {x},
              {{"dim", list_or_none(x, axes)}, {"correction", 0}, {"keepdim", attributes.keep_dims}},
              name.empty() ? "stddev" : name);
}
Tensor norm(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return call("aten::linalg_vector_norm", {x},
              {{"dim", list_or_none(x, axes)}, {"keepdim", attributes.keep_dims}},
              name.empty() ? "norm" : name);
}

std::pair<Tensor, Tensor> moments(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
                                  const std::string& name) {
  const auto outputs =
      call_multi("aten::var_mean.correction", {x},
                 {{"dim", list_or_none(x, axes)}, {"correction", 0}, {"keepdim", attributes.keep_dims}},
                 name.empty() ? "moments" : name);
  return {outputs[1], outputs[0]};
}

Tensor argmax(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::argmax", {x}, {{"dim", axis}}, name);
}
Tensor argmin(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::argmin", {x}, {{"dim", axis}}, name);
}

}  // namespace belfry
