#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace belfry {

namespace internal {

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

/// References to the fields of an options struct, whose fields are all std::optional.
template <typename Options>
auto fields_of(Options& options) {
  constexpr size_t n = count_fields<std::remove_const_t<Options>>();
  static_assert(n <= 20, "add a line below for an options struct of this size");
  if constexpr (n == 0) {
    return std::tuple<>();
  } else if constexpr (n == 1) {
    auto& [a] = options;
    return std::tie(a);
  } else if constexpr (n == 2) {
    auto& [a, b] = options;
    return std::tie(a, b);
  } else if constexpr (n == 3) {
    auto& [a, b, c] = options;
    return std::tie(a, b, c);
  } else if constexpr (n == 4) {
    auto& [a, b, c, d] = options;
    return std::tie(a, b, c, d);
  } else if constexpr (n == 5) {
    auto& [a, b, c, d, e] = options;
    return std::tie(a, b, c, d, e);
  } else if constexpr (n == 6) {
    auto& [a, b, c, d, e, f] = options;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (n == 7) {
    auto& [a, b, c, d, e, f, g] = options;
    return std::tie(a, b, c, d, e, f, g);
  } else if constexpr (n == 8) {
    auto& [a, b, c, d, e, f, g, h] = options;
    return std::tie(a, b, c, d, e, f, g, h);
  } else if constexpr (n == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = options;
    return std::tie(a, b, c, d, e, f, g, h, i);
  } else if constexpr (n == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (n == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (n == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (n == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (n == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o);
  } else if constexpr (n == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p);
  } else if constexpr (n == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q);
  } else if constexpr (n == 17) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r);
  } else if constexpr (n == 18) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s);
  } else if constexpr (n == 19) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, t] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, t);
  } else {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, t, u] = options;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, t, u);
  }
}

}  // namespace internal

/// `options`, with each field that is open taken from `fallback`. Works on any plain struct whose fields are
/// all std::optional (or derived from one), so that a new field needs no mention anywhere else.
template <typename Options>
Options merge_options(Options options, const Options& fallback) {
  auto fill = [](auto& field, const auto& other) {
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
