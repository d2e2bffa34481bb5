#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <set>
#include <vector>

#include "belfry/graph/below_autograd.h"

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

/// TensorFlow keeps numbers as float32, and 1 - 0.999 shows the difference.
inline double as_float32(double value) {
  return static_cast<float>(value);
}

/// The elements of a tensor without gaps, in the order of its memory.
inline at::Tensor elements(const at::Tensor& tensor) {
  return tensor.as_strided({tensor.numel()}, {1});
}

/// Calls `update(variable, members of lists...)` with vectors of the elements of the same places, so that all
/// of them are updated. On the CPU these are pieces that stay in its caches, several at a time: however many
/// operators an update takes, memory is read and written once. All members of a place have one layout without
/// gaps (in_layout_of).
template <typename Update, typename... Lists>
void update_in_pieces(const Update& update, at::TensorList variables, const Lists&... lists) {
  constexpr int64_t kPiece = 16384;
  for (size_t i = 0; i < variables.size(); ++i) {
    const auto part = [](const at::Tensor& whole, int64_t begin, int64_t end) {
      return elements(whole).slice(0, begin, end);
    };
    const int64_t count = variables[i].numel();
    if (!variables[i].is_cpu()) {
      update(elements(variables[i]), elements(at::TensorList(lists)[i])...);
      continue;
    }
    at::parallel_for(0, (count + kPiece - 1) / kPiece, 1, [&](int64_t first, int64_t last) {
      const BelowAutograd no_autograd;  // a worker has modes of its own
      for (int64_t piece = first; piece < last; ++piece) {
        const int64_t begin = piece * kPiece, end = std::min(begin + kPiece, count);
        update(part(variables[i], begin, end), part(at::TensorList(lists)[i], begin, end)...);
      }
    });
  }
}

}  // namespace belfry::internal
