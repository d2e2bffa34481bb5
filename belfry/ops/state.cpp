#include "belfry/ops/state.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/special_nodes.h"
#include "belfry/ops/call.h"
#include "belfry/ops/internal/scalar.h"

namespace belfry {
namespace {

bool has_number(DType dtype, double number) {
  return number == std::trunc(number) && std::abs(number) < 0x1p63 &&
         internal::has_integer(dtype, static_cast<int64_t>(number));
}
bool has_number(DType dtype, int64_t number) {
  return internal::has_integer(dtype, number);
}

/// Throws where a dtype of integers has not one of the numbers.
template <typename T>
void check_numbers(const std::vector<T>& numbers, DType dtype, const std::string& name) {
  if (!c10::isIntegralType(dtype, /*includeBool=*/false)) return;
  for (const T number : numbers) {
    if (has_number(dtype, number)) continue;
    throw UsageError(
        fmt::format("[constant {}] expected numbers of {}, got {}", name, to_string(dtype), number));
  }
}

}  // namespace

Tensor placeholder(const std::string& name, const Shape& shape, DType dtype) {
  return add_placeholder({.name = name, .shape = shape, .dtype = dtype});
}

Tensor placeholder_with_default(const Tensor& default_value, const Shape& shape, const std::string& name) {
  if (!is_compatible_with(shape, default_value.shape())) {
    throw UsageError(fmt::format("[placeholder_with_default {}] expected a default that fits {}, got {}",
                                 name, to_string(shape), describe(default_value)));
  }
  return add_placeholder({.name = name, .shape = shape, .dtype = default_value.dtype()}, default_value);
}

Tensor constant(const at::Tensor& value, const std::string& name) {
  return add_constant(value, name);
}

Tensor constant(const c10::Scalar& value, const std::string& name) {
  const DType dtype = value.isBoolean() ? kBool : value.isFloatingPoint() ? kFloat32 : kInt64;
  return constant(value, dtype, name);
}
Tensor constant(const c10::Scalar& value, DType dtype, const std::string& name) {
  if (value.isFloatingPoint()) {
    check_numbers(std::vector<double>{value.toDouble()}, dtype, name);
  } else if (value.isIntegral(/*includeBool=*/false)) {
    check_numbers(std::vector<int64_t>{value.toLong()}, dtype, name);
  }
  return constant(at::scalar_tensor(value, dtype), name);
}

namespace {

template <typename T>
Tensor constant_list(const std::vector<T>& values, const Shape& shape, DType dtype, const std::string& name) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  if (!shape.empty() && count != static_cast<int64_t>(values.size())) {
    throw UsageError(fmt::format("[constant {}] expected {} values for shape {}, got {}", name, count,
                                 to_string(shape), values.size()));
  }
  check_numbers(values, dtype, name);
  const at::Tensor list = at::tensor(values).to(dtype);
  return constant(shape.empty() ? list : list.reshape(shape), name);
}

/// Whether it is a list of fractions; one of nothing is.
bool has_fraction(std::initializer_list<c10::Scalar> values) {
  return values.size() == 0 ||
         std::ranges::any_of(values, [](const c10::Scalar& v) { return v.isFloatingPoint(); });
}

}  // namespace

Tensor constant(const std::vector<double>& values, const Shape& shape, DType dtype, const std::string& name) {
  return constant_list(values, shape, dtype, name);
}
Tensor constant(const std::vector<int64_t>& values, const Shape& shape, DType dtype,
                const std::string& name) {
  return constant_list(values, shape, dtype, name);
}

Tensor constant(std::initializer_list<c10::Scalar> values, const Shape& shape) {
  const bool bools = std::ranges::all_of(values, [](const c10::Scalar& v) { return v.isBoolean(); });
  return constant(values, shape, has_fraction(values) ? kFloat32 : bools ? kBool : kInt64);
}
Tensor constant(std::initializer_list<c10::Scalar> values, const Shape& shape, DType dtype,
                const std::string& name) {
  // Whole numbers go through int64, as a double does not hold all of them.
  if (has_fraction(values)) {
    std::vector<double> list;
    for (const c10::Scalar& value : values) list.push_back(value.toDouble());
    return constant_list(list, shape, dtype, name);
  }
  std::vector<int64_t> list;
  for (const c10::Scalar& value : values) list.push_back(value.toLong());
  return constant_list(list, shape, dtype, name);
}

Tensor identity(const Tensor& x, const std::string& name) {
  return default_graph()
      .add_special(NodeKind::kIdentity, "belfry::identity", {x}, {}, name, {{x.dtype(), x.shape()}})
      .output();
}
Tensor stop_gradient(const Tensor& x, const std::string& name) {
  return call("aten::detach", {x}, {}, name.empty() ? "stop_gradient" : name);
}

Tensor group(const std::vector<Tensor>& tensors, const std::string& name) {
  std::vector<Tensor> defined;
  for (const Tensor& tensor : tensors) {
    if (tensor.defined()) defined.push_back(tensor);
  }
  return default_graph()
      .add_special(NodeKind::kGroup, "belfry::group", {}, {{"inputs", defined}}, name, {})
      .output();
}

Tensor no_op(const std::string& name) {
  return group({}, name.empty() ? "no_op" : name);
}
Tensor print(const Tensor& x, const std::vector<Tensor>& data, const PrintAttributes& attributes,
             const std::string& name) {
  return default_graph()
      .add("belfry::print", {},
           {{"x", x}, {"data", data}, {"message", attributes.message}, {"summarize", attributes.summarize}},
           name)
      .output();
}
Tensor assert_true(const Tensor& condition, const std::string& message, const std::string& name) {
  return default_graph().add("belfry::assert_true", {condition}, {{"message", message}}, name).output();
}

Tensor assign(const Variable& variable, const Tensor& value, const std::string& name) {
  return call("belfry::assign", {variable.tensor(), value}, {}, name);
}
Tensor assign_add(const Variable& variable, const Tensor& value, const std::string& name) {
  return call("belfry::assign_add", {variable.tensor(), value}, {}, name);
}
Tensor assign_sub(const Variable& variable, const Tensor& value, const std::string& name) {
  return call("belfry::assign_sub", {variable.tensor(), value}, {}, name);
}

}  // namespace belfry
