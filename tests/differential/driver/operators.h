#pragma once

#include <functional>
#include <map>

#include "tests/differential/driver/attributes.h"

namespace belfry::differential {

using Apply = std::function<Tensors(const Tensors& x, const Json& a)>;
using Operators = std::map<std::string, Apply>;

/// Belfry's function of each name that the generator draws; reference.py holds TensorFlow's.
Operators math_operators();
Operators array_operators();
Operators nn_operators();
Operators reduce_operators();

}  // namespace belfry::differential

// Rows of those tables: a function of one or two tensors and of nothing else.
#define DIFFERENTIAL_UNARY(name)                                                         \
  {                                                                                      \
#name, [](const Tensors& x, const Json&) -> Tensors { return {belfry::name(x[0])}; } \
  }
#define DIFFERENTIAL_BINARY(name)                                                              \
  {                                                                                            \
#name, [](const Tensors& x, const Json&) -> Tensors { return {belfry::name(x[0], x[1])}; } \
  }
#define DIFFERENTIAL_ROW(name, ...)                                                          \
  {                                                                                          \
    name, [](const Tensors& x [[maybe_unused]], const Json& a [[maybe_unused]]) -> Tensors { \
      return __VA_ARGS__;                                                                    \
    }                                                                                        \
  }
