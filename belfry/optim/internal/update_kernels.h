#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <set>
#include <vector>

namespace belfry::internal {

/// Requires, for an operator that is evaluated for its shapes only: each list has one member for each
/// variable, of its sizes. Throws UsageError otherwise.
void check_like_variables(at::TensorList variables, at::TensorList others, const char* what);

/// Requires a multiplier for each variable, or none at all. Throws UsageError otherwise.
void check_multipliers(at::TensorList variables, at::ArrayRef<double> multipliers);

/// The gradients with the memory layout of their variables, as ATen's fused updates walk all of them as plain
/// arrays; copies those that have another.
std::vector<at::Tensor> in_layout_of(at::TensorList variables, at::TensorList gradients);

/// One factor of the learning rate for each variable; none: 1 for all. Calls `update(rate, variables,
/// lists...)` with the members of all lists that share a factor, for each factor.
template <typename Update, typename... Lists>
void for_each_rate(double rate, at::ArrayRef<double> multipliers, const Update& update,
                   const Lists&... lists) {
  const std::set<double> factors(multipliers.begin(), multipliers.end());
  if (factors.empty()) return update(rate, at::TensorList(lists)...);
  for (double factor : factors) {
    const auto members = [&](at::TensorList list) {
      std::vector<at::Tensor> result;
      for (size_t i = 0; i < multipliers.size(); ++i) {
        if (multipliers[i] == factor) result.push_back(list[i]);
      }
      return result;
    };
    update(rate * factor, members(lists)...);
  }
}

}  // namespace belfry::internal
