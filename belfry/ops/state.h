#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// A value to be fed. `shape` may hold kDynamic.
Tensor placeholder(const std::string& name, const Shape& shape, DType dtype = kFloat32);
/// As above, of dtype `default_value` has; that is its value where none is fed.
Tensor placeholder_with_default(const Tensor& default_value, const Shape& shape,
                                const std::string& name = "");

/// Shares the memory of `value`, which must not change any more.
Tensor constant(const at::Tensor& value, const std::string& name = "");
/// A scalar: float32 for a fraction, int64 for a whole number, bool for a bool, unless `dtype` says
/// otherwise.
Tensor constant(const c10::Scalar& value, const std::string& name = "");
Tensor constant(const c10::Scalar& value, DType dtype, const std::string& name = "");
/// A list, or with a `shape` its elements in row-major order.
Tensor constant(const std::vector<double>& values, const Shape& shape = {}, DType dtype = kFloat32,
                const std::string& name = "");
Tensor constant(const std::vector<int64_t>& values, const Shape& shape = {}, DType dtype = kInt64,
                const std::string& name = "");
/// `constant({1, 2, 3})`: int64 when all are whole numbers, bool when all are bools, else float32.
Tensor constant(std::initializer_list<c10::Scalar> values, const Shape& shape = {});
Tensor constant(std::initializer_list<c10::Scalar> values, const Shape& shape, DType dtype,
                const std::string& name = "");

/// `x` under another name, without a copy.
Tensor identity(const Tensor& x, const std::string& name = "");
/// `x`, through which no gradient flows.
Tensor stop_gradient(const Tensor& x, const std::string& name = "");
/// An operation that runs all of `tensors` (none are skipped) and has no value.
Tensor group(const std::vector<Tensor>& tensors, const std::string& name = "");

/// An operation that does nothing, which ControlDependencies can order.
Tensor no_op(const std::string& name = "");

struct PrintAttributes {
  std::string message = {};  ///< logged before the values
  int64_t summarize = 3;     ///< how many elements of each tensor are logged; -1: all
};
/// `x`, after logging `data` whenever it is computed.
Tensor print(const Tensor& x, const std::vector<Tensor>& data, const PrintAttributes& attributes = {},
             const std::string& name = "");
/// An operation that fails the run, with `message`, when some element of `condition` (bool) is false. Nothing
/// but ControlDependencies or a fetch makes it run.
Tensor assert_true(const Tensor& condition, const std::string& message, const std::string& name = "");

// Each writes the variable when it runs and gives the new value. The order of a write and other uses of the
// variable in one run is set with ControlDependencies. `value` must have the variable's shape (a scalar fits
// any) and is cast to its dtype. The variable must have a value already: initialize_variables() gives the
// first.

Tensor assign(const Variable& variable, const Tensor& value, const std::string& name = "");
Tensor assign_add(const Variable& variable, const Tensor& value, const std::string& name = "");
Tensor assign_sub(const Variable& variable, const Tensor& value, const std::string& name = "");

}  // namespace belfry
