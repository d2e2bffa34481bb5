#include "belfry/interchange/internal/elementwise.h"

#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"

namespace belfry::internal {

std::span<const ElementwiseFunction> elementwise_functions() {
  static constexpr ElementwiseFunction kFunctions[] = {
      {"aten::abs", "Abs", "Abs", abs},
      {"aten::acos", "Acos", "Acos", acos},
      {"aten::acosh", "Acosh", "Acosh", acosh},
      {"aten::asin", "Asin", "Asin", asin},
      {"aten::asinh", "Asinh", "Asinh", asinh},
      {"aten::atan", "Atan", "Atan", atan},
      {"aten::atanh", "Atanh", "Atanh", atanh},
      {"aten::cos", "Cos", "Cos", cos},
      {"aten::cosh", "Cosh", "Cosh", cosh},
      {"aten::erf", "Erf", "Erf", erf},
      {"aten::exp", "Exp", "Exp", exp},
      {"aten::expm1", nullptr, "Expm1", expm1},
      {"aten::hardswish", "HardSwish", nullptr, hardswish},
      {"aten::log", "Log", "Log", log},
      {"aten::log1p", nullptr, "Log1p", log1p},
      {"aten::neg", "Neg", "Neg", neg},
      {"aten::reciprocal", "Reciprocal", "Reciprocal", reciprocal},
      {"aten::relu", "Relu", "Relu", relu},
      {"aten::relu6", nullptr, "Relu6", relu6},
      {"aten::rsqrt", nullptr, "Rsqrt", rsqrt},
      {"aten::sigmoid", "Sigmoid", "Sigmoid", sigmoid},
      {"aten::sin", "Sin", "Sin", sin},
      {"aten::sinh", "Sinh", "Sinh", sinh},
      {"aten::sqrt", "Sqrt", "Sqrt", sqrt},
      {"aten::square", nullptr, "Square", square},
      {"aten::tan", "Tan", "Tan", tan},
      {"aten::tanh", "Tanh", "Tanh", tanh},
  };
  return kFunctions;
}

}  // namespace belfry::internal
