#pragma once

#include <string>

#include "belfry/graph/tensor.h"

namespace belfry {

/// The root mean square of all elements, a scalar: "<name of x>/rms" unless named otherwise. Integers are
/// taken as float32.
Tensor rms(const Tensor& x, const std::string& name = "");

/// `x`, after logging its shape, mean and, of floating point numbers, root mean square whenever it is
/// computed: `x = print_stat(x, "activations")`. The message is the tensor's name unless given.
Tensor print_stat(const Tensor& x, const std::string& message = "");

}  // namespace belfry
