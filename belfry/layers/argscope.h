#pragma once

#include <any>
#include <map>
#include <typeindex>

#include "belfry/layers/option_fields.h"

namespace belfry {

/// Gives the layers called while the guard lives other defaults, one options struct for each kind of layer:
///
///     ArgScope scope(Conv2DOptions{.kernel = 3, .use_bias = false}, BatchNormOptions{.momentum = 0.99});
///
/// The guard needs a name: one without ends at once. What a call sets itself wins over the innermost scope,
/// that one over those around it, and these over the layer's defaults. Belongs to the thread. Guards must end
/// in the reverse order of their making.
class ArgScope {
 public:
  template <typename... Options>
  [[nodiscard]] explicit ArgScope(const Options&... options) : outer_(current()) {
    (set(options), ...);
  }
  ~ArgScope() { current() = std::move(outer_); }
  ArgScope(const ArgScope&) = delete;
  ArgScope& operator=(const ArgScope&) = delete;

 private:
  template <typename Options>
  friend Options with_argscope(const Options& options);

  using Defaults = std::map<std::type_index, std::any>;
  static Defaults& current();

  template <typename Options>
  static void set(const Options& options) {
    static_assert(detail::is_options_struct<Options>(),
                  "ArgScope expects options structs of layers, whose fields are all of a type Option<T>: "
                  "ArgScope scope(Conv2DOptions{.kernel = 3})");
    std::any& slot = current()[typeid(Options)];
    const Options* outer = std::any_cast<Options>(&slot);
    slot = outer ? merge_options(options, *outer) : options;
  }

  Defaults outer_;
};

/// `options`, with what is not set taken from the argument scopes of this thread, and otherwise from the
/// defaults: a field is empty only where it has no default.
template <typename Options>
Options with_argscope(const Options& options) {
  auto found = ArgScope::current().find(typeid(Options));
  const Options defaults = {};
  if (found == ArgScope::current().end()) return merge_options(options, defaults);
  return merge_options(merge_options(options, std::any_cast<const Options&>(found->second)), defaults);
}

}  // namespace belfry
