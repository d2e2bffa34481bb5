#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "belfry/formats/array_info.h"
#include "belfry/formats/python_value.h"

namespace belfry::internal {

/// LibTorch's type of a stored one. Throws DataError with `where` when it has none.
at::ScalarType scalar_type(DataType stored, const std::string& where);

/// The stored type of a LibTorch one. Throws UsageError, as `who`, for those that numpy has not.
DataType stored_type(at::ScalarType type, std::string_view who);

/// A dense CPU copy of `tensor`, or itself, whose memory is its elements in row-major order.
at::Tensor dense(const at::Tensor& tensor);

/// The elements of a dense tensor.
ByteSpan elements_of(const at::Tensor& dense);

/// A tensor with the elements of `array`: a new one, or, with an `owner` of its bytes, one that refers to
/// them where they are many and lie as they should.
at::Tensor tensor_of(const PythonArray& array, const std::string& where,
                     const std::shared_ptr<const void>& owner = nullptr);

/// Text and bytes become uint8 [length], numbers scalars (int64, uint64, float64, bool), lists of values that
/// become tensors of one shape and type a tensor with one more dimension. Throws DataError with `where` for
/// what is no tensor.
at::Tensor tensor_of(const PythonValue& value, const std::string& where,
                     const std::shared_ptr<const void>& owner = nullptr);

/// The same, but text becomes a component of text.
at::Tensor component_of(const PythonValue& value, const std::string& where,
                        const std::shared_ptr<const void>& owner = nullptr);

}  // namespace belfry::internal
