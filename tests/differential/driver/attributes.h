#pragma once

#include <belfry/belfry.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace belfry::differential {

using Json = nlohmann::json;
using Tensors = std::vector<Tensor>;

inline DType dtype_of(const std::string& name) {
  static const std::map<std::string, DType> dtypes = {
      {"float32", kFloat32}, {"float64", kFloat64},  {"int32", kInt32}, {"int64", kInt64},
      {"bool", kBool},       {"uint8", kUInt8},      {"int8", kInt8},   {"int16", kInt16},
      {"float16", kFloat16}, {"bfloat16", kBFloat16}};
  return dtypes.at(name);
}

/// A number; JSON has no infinities and no NaN, so that those come as text.
inline c10::Scalar scalar_of(const Json& value) {
  static const double infinity = std::numeric_limits<double>::infinity();
  if (value.is_string()) return value == "inf" ? infinity : value == "-inf" ? -infinity : std::nan("");
  if (value.is_number_integer()) return value.get<int64_t>();
  return value.get<double>();
}
inline double number_of(const Json& value) {
  return scalar_of(value).toDouble();
}
inline std::vector<int64_t> integers_of(const Json& value) {
  return value.get<std::vector<int64_t>>();
}
inline Size2D size_of(const Json& value) {
  return value.is_array() ? Size2D(value[0], value[1]) : Size2D(value.get<int64_t>());
}
inline int64_t axis_of(const Json& attributes) {
  return attributes.at("axis").get<int64_t>();
}
/// "axis" may be a number, a list, or null for all of them.
inline Axes axes_of(const Json& attributes) {
  const Json& axis = attributes.at("axis");
  if (axis.is_null()) return {};
  if (axis.is_array()) return Axes(integers_of(axis));
  return Axes(axis.get<int64_t>());
}

/// `target = attributes[key]` where it is there.
template <typename T>
void read(const Json& attributes, const char* key, T& target) {
  auto found = attributes.find(key);
  if (found == attributes.end()) return;
  if constexpr (std::is_assignable_v<T&, Size2D> && !std::is_assignable_v<T&, std::string>)
    target = size_of(*found);
  else if constexpr (requires {
                       typename T::value_type;
                       target.has_value();
                     })
    target = found->get<typename T::value_type>();
  else
    target = found->get<T>();
}

}  // namespace belfry::differential
