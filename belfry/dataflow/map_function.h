#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Makes a new value from one; to be made of any function (lambda, function pointer, std::function) of one of
/// these forms:
///
///     Value(Value)                          std::optional<Value>(Value)
///     Value(Value, Rng&)                    std::optional<Value>(Value, Rng&)
///
/// nullopt drops the datapoint. A function whose type says that it never drops can be skipped over when a
/// pass is resumed in the middle; others have to be called for each datapoint before. The Rng of a call is
/// made of the stage's seed, the number of the pass and the index of the datapoint in the source's pass, so
/// what is random is the same in whatever thread the call runs.
///
/// The function must not write into the tensors it is given, unless it knows that they are not shared.
template <typename Value>
class MapFunctionOf {
 public:
  MapFunctionOf() = default;
  template <typename Function>
  requires(!std::same_as<std::remove_cvref_t<Function>, MapFunctionOf> &&
           (std::is_invocable_r_v<std::optional<Value>, Function&, Value> ||
            std::is_invocable_r_v<std::optional<Value>, Function&, Value, Rng&>))
      MapFunctionOf(Function function) {
    if constexpr (requires { function == nullptr; }) {
      if (function == nullptr) return;
    }
    if constexpr (std::is_invocable_r_v<std::optional<Value>, Function&, Value>) {
      may_drop_ = !std::is_convertible_v<std::invoke_result_t<Function&, Value>, Value>;
      plain_ = std::move(function);
    } else {
      may_drop_ = !std::is_convertible_v<std::invoke_result_t<Function&, Value, Rng&>, Value>;
      random_ = std::move(function);
    }
  }

  explicit operator bool() const { return plain_ || random_; }
  bool may_drop() const { return may_drop_; }
  bool is_random() const { return static_cast<bool>(random_); }

  /// Requires: not empty.
  std::optional<Value> operator()(Value value, Rng& rng) const {
    return random_ ? random_(std::move(value), rng) : plain_(std::move(value));
  }
  /// Requires: not empty and not random.
  std::optional<Value> operator()(Value value) const { return plain_(std::move(value)); }

 private:
  // At most one of them is set.
  std::function<std::optional<Value>(Value)> plain_;
  std::function<std::optional<Value>(Value, Rng&)> random_;
  bool may_drop_ = true;
};

using MapFunction = MapFunctionOf<Datapoint>;
using MapComponentFunction = MapFunctionOf<at::Tensor>;

}  // namespace belfry
