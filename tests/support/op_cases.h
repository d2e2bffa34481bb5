#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry::test {

/// What the elements of an input are; kinks and ties at small numbers are kept away from.
enum class Values { kAny, kPositive, kIndices, kBools };

struct OpInput {
  Shape sizes;
  std::vector<size_t> dynamic;  ///< dimensions that the graph does not know
  Values values = Values::kAny;
  int64_t classes = 0;         ///< of kIndices: one more than the largest
  bool differentiable = true;  ///< of floating-point inputs

  DType dtype() const;
  Shape declared() const;
  /// Elements that depend on `seed` only.
  at::Tensor value(int seed) const;
};

/// One call of a typed function.
struct OpCase {
  std::string function;  ///< the name in the header
  std::vector<OpInput> inputs;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> build;
  /// False for functions of constant derivative zero, without a derivative, or that draw numbers.
  bool differentiable = true;
  /// True where output sizes depend on values.
  bool depends_on_data = false;
};

/// Calls of every typed function of belfry/ops. A function of the headers that is missing here fails
/// OpTable.HasEveryFunctionOfTheHeaders.
const std::vector<OpCase>& op_cases();
/// "pad_2": the function of a case, its number among the cases of that function.
std::string case_name(size_t index);
/// The indices of the cases for which `holds` does.
std::vector<size_t> cases_where(const std::function<bool(const OpCase&)>& holds);

}  // namespace belfry::test
