#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace belfry {

namespace detail {

template <typename T>
void take_optional(const std::optional<T>&);

/// A std::optional, or a class derived from one.
template <typename Field>
concept OptionalField = requires(const Field& field) {
  take_optional(field);
};

/// Initialises any optional field.
struct AnyField {
  template <OptionalField Field>
  operator Field() const;
};

/// Initialises any field that is none.
struct OtherField {
  template <typename Field>
  requires(!OptionalField<Field>) operator Field() const;
};

/// The number of optional fields at the beginning of an options struct.
template <typename Options, typename... Fields>
constexpr size_t count_fields() {
  if constexpr (requires { Options{Fields{}..., AnyField{}}; }) {
    return count_fields<Options, Fields..., AnyField>();
  } else {
    return sizeof...(Fields);
  }
}

/// Whether there is a field after `n` optional ones.
template <typename Options, size_t n>
constexpr bool has_other_field() {
  return []<size_t... I>(std::index_sequence<I...>) {
    return requires {
      Options{(static_cast<void>(I), AnyField{})..., OtherField{}};
    }
    || requires {
      Options{(static_cast<void>(I), AnyField{})..., {}};
    };
  }
  (std::make_index_sequence<n>());
}

/// Whether all fields of a plain struct are optional, so that merge_options can fill it.
template <typename Options>
constexpr bool is_options_struct() {
  if constexpr (std::is_aggregate_v<Options> && !std::is_array_v<Options>) {
    return !has_other_field<Options, count_fields<Options>()>();
  } else {
    return false;
  }
}

/// References to the fields of an options struct, whose fields are all optional. C++20 binds only a list of
/// names that is written out, so there is a line for each number of fields.
template <typename Options>
auto fields_of(Options& options) {
  constexpr size_t n = count_fields<std::remove_const_t<Options>>();
  static_assert(n <= 20, "add a line below for an options struct of this size");
#define BELFRY_BIND(number, ...)   \
  if constexpr (n == number) {     \
    auto& [__VA_ARGS__] = options; \
    return std::tie(__VA_ARGS__);  \
  }
  if constexpr (n == 0) return std::tuple<>();
  BELFRY_BIND(1, a)
  BELFRY_BIND(2, a, b)
  BELFRY_BIND(3, a, b, c)
  BELFRY_BIND(4, a, b, c, d)
  BELFRY_BIND(5, a, b, c, d, e)
  BELFRY_BIND(6, a, b, c, d, e, f)
  BELFRY_BIND(7, a, b, c, d, e, f, g)
  BELFRY_BIND(8, a, b, c, d, e, f, g, h)
  BELFRY_BIND(9, a, b, c, d, e, f, g, h, i)
  BELFRY_BIND(10, a, b, c, d, e, f, g, h, i, j)
  BELFRY_BIND(11, a, b, c, d, e, f, g, h, i, j, k)
  BELFRY_BIND(12, a, b, c, d, e, f, g, h, i, j, k, l)
  BELFRY_BIND(13, a, b, c, d, e, f, g, h, i, j, k, l, m)
  BELFRY_BIND(14, a, b, c, d, e, f, g, h, i, j, k, l, m, o)
  BELFRY_BIND(15, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p)
  BELFRY_BIND(16, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q)
  BELFRY_BIND(17, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r)
  BELFRY_BIND(18, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s)
  BELFRY_BIND(19, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, t)
  BELFRY_BIND(20, a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, t, u)
#undef BELFRY_BIND
}

/// Whether a field of an options struct has a value that is not its default.
template <OptionalField Field>
bool is_set(const Field& field) {
  if constexpr (requires { field.is_set(); }) {
    return field.is_set();
  } else {
    return field.has_value();
  }
}

}  // namespace detail

/// `options`, with each field that is not set taken from `fallback`, where that has a value. Works on any
/// plain struct whose fields are all Option, or std::optional, which has no default, so that a new field
/// needs no mention anywhere else.
template <typename Options>
Options merge_options(Options options, const Options& fallback) {
  auto fill = [](auto& field, const auto& other) {
    if (!detail::is_set(field) && other.has_value()) field = other;
  };
  auto fields = detail::fields_of(options);
  auto others = detail::fields_of(fallback);
  [&]<size_t... I>(std::index_sequence<I...>) {
    (fill(std::get<I>(fields), std::get<I>(others)), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<decltype(fields)>>());
  return options;
}

}  // namespace belfry
