#pragma once

#include <optional>
#include <tuple>
#include <utility>

namespace belfry {

namespace internal {

struct AnyField {
  template <typename T>
  operator std::optional<T>() const;
};

template <typename Options, typename... Fields>
constexpr size_t count_fields() {
  if constexpr (requires { Options{Fields{}..., AnyField{}}; }) {
    return count_fields<Options, Fields..., AnyField>();
  } else {
    return sizeof...(Fields);
  }
}

/// References to the fields of an options struct, whose fields are all std::optional.
template <typename Options>
auto fields_of(Options& o) {
  constexpr size_t n = count_fields<std::remove_const_t<Options>>();
  static_assert(n <= 16, "add a line below for an options struct of this size");
  if constexpr (n == 0) {
    return std::tuple<>();
  } else if constexpr (n == 1) {
    auto& [a] = o;
    return std::tie(a);
  } else if constexpr (n == 2) {
    auto& [a, b] = o;
    return std::tie(a, b);
  } else if constexpr (n == 3) {
    auto& [a, b, c] = o;
    return std::tie(a, b, c);
  } else if constexpr (n == 4) {
    auto& [a, b, c, d] = o;
    return std::tie(a, b, c, d);
  } else if constexpr (n == 5) {
    auto& [a, b, c, d, e] = o;
    return std::tie(a, b, c, d, e);
  } else if constexpr (n == 6) {
    auto& [a, b, c, d, e, f] = o;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (n == 7) {
    auto& [a, b, c, d, e, f, g] = o;
    return std::tie(a, b, c, d, e, f, g);
  } else if constexpr (n == 8) {
    auto& [a, b, c, d, e, f, g, h] = o;
    return std::tie(a, b, c, d, e, f, g, h);
  } else if constexpr (n == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = o;
    return std::tie(a, b, c, d, e, f, g, h, i);
  } else if constexpr (n == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (n == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (n == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (n == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (n == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (n == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
}

}  // namespace internal

/// `options`, with each field that is open taken from `fallback`. Works on any plain struct whose fields are
/// all std::optional, so that a new field needs no mention anywhere else.
template <typename Options>
Options merge_options(Options options, const Options& fallback) {
  auto fill = []<typename T>(std::optional<T>& field, const std::optional<T>& other) {
    if (!field) field = other;
  };
  auto fields = internal::fields_of(options);
  auto others = internal::fields_of(fallback);
  [&]<size_t... I>(std::index_sequence<I...>) {
    (fill(std::get<I>(fields), std::get<I>(others)), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<decltype(fields)>>());
  return options;
}

}  // namespace belfry
