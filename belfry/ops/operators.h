#pragma once

#include <c10/core/Scalar.h>

#include "belfry/graph/tensor.h"

namespace belfry {

// Arithmetic on tensors and numbers, element by element. Shapes broadcast as in numpy; dtypes are promoted as
// in PyTorch: a whole number keeps the tensor's dtype, a fraction turns integers into float32, and `/` is
// true division.
Tensor operator+(const Tensor& x, const Tensor& y);
Tensor operator+(const Tensor& x, const c10::Scalar& y);
Tensor operator+(const c10::Scalar& x, const Tensor& y);
Tensor operator-(const Tensor& x, const Tensor& y);
Tensor operator-(const Tensor& x, const c10::Scalar& y);
Tensor operator-(const c10::Scalar& x, const Tensor& y);
Tensor operator*(const Tensor& x, const Tensor& y);
Tensor operator*(const Tensor& x, const c10::Scalar& y);
Tensor operator*(const c10::Scalar& x, const Tensor& y);
Tensor operator/(const Tensor& x, const Tensor& y);
Tensor operator/(const Tensor& x, const c10::Scalar& y);
Tensor operator/(const c10::Scalar& x, const Tensor& y);
Tensor operator-(const Tensor& x);

// `total += x` makes `total` a handle on a new node; nothing is computed or changed in place.
Tensor& operator+=(Tensor& x, const Tensor& y);
Tensor& operator+=(Tensor& x, const c10::Scalar& y);
Tensor& operator-=(Tensor& x, const Tensor& y);
Tensor& operator-=(Tensor& x, const c10::Scalar& y);
Tensor& operator*=(Tensor& x, const Tensor& y);
Tensor& operator*=(Tensor& x, const c10::Scalar& y);
Tensor& operator/=(Tensor& x, const Tensor& y);
Tensor& operator/=(Tensor& x, const c10::Scalar& y);

// Comparisons, element by element: bool. `==` and `!=` compare handles, not values: those are equal and
// not_equal of math.h.
Tensor operator<(const Tensor& x, const Tensor& y);
Tensor operator<(const Tensor& x, const c10::Scalar& y);
Tensor operator<(const c10::Scalar& x, const Tensor& y);
Tensor operator<=(const Tensor& x, const Tensor& y);
Tensor operator<=(const Tensor& x, const c10::Scalar& y);
Tensor operator<=(const c10::Scalar& x, const Tensor& y);
Tensor operator>(const Tensor& x, const Tensor& y);
Tensor operator>(const Tensor& x, const c10::Scalar& y);
Tensor operator>(const c10::Scalar& x, const Tensor& y);
Tensor operator>=(const Tensor& x, const Tensor& y);
Tensor operator>=(const Tensor& x, const c10::Scalar& y);
Tensor operator>=(const c10::Scalar& x, const Tensor& y);

}  // namespace belfry
