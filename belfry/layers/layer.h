#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"
#include "belfry/layers/argscope.h"

namespace belfry {

/// A layer that waits for its input: what `Conv2D("conv0", {...})` without a tensor makes, to be used with |.
using LayerCall = std::function<Tensor(const Tensor& x)>;

namespace detail {

/// The part of a layer call that is the same for all layers: opens the variable scope, then names and
/// registers the outcome.
class LayerScope {
 public:
  LayerScope(const char* kind, const std::string& name, const Tensor& x);
  ~LayerScope();
  /// "Conv2D conv0", for messages.
  std::string who() const;
  Tensor finish(const Tensor& result);

 private:
  std::string kind_, name_;
  VariableScope scope_;
  std::optional<size_t> record_;  ///< none where the layer is listed already
  bool finished_ = false;
};

}  // namespace detail

/// A function that may own variables: a constant object of this type is a layer, Conv2D for instance.
///
///     Tensor y = Conv2D("conv0", x, {.filters = 32, .kernel = 3});
///     Tensor z = x | Conv2D("conv0", {.filters = 32, .kernel = 3}) | MaxPooling("pool0", {.pool = 2}) |
///     relu;
///
/// Where a compiler only says that it cannot convert the list of options, the type's name makes it say which
/// field it does not know: Conv2DOptions{.filtres = 32}.
///
/// A call opens the variable scope `name`, fills the open options from the ArgScope, builds, names the
/// outcome "<name>/output", and, the first time in its graph, logs its shapes and registers itself for
/// describe_model. A new layer is one options struct, whose fields are all Option<T>, one build function,
/// and one such constant.
template <typename Options>
class Layer {
 public:
  /// Builds the layer under its scope. `who` ("Conv2D conv0") starts the messages of errors.
  using Build = Tensor (*)(const std::string& who, const Tensor& x, const Options& options);

  constexpr Layer(const char* kind, Build build) : kind_(kind), build_(build) {}

  /// Applies the layer to `x`. Throws UsageError when a required option is still open, or `x` does not fit.
  Tensor operator()(const std::string& name, const Tensor& x, const Options& options = {}) const {
    detail::LayerScope scope(kind_, name, x);
    return scope.finish(build_(scope.who(), x, with_argscope(options)));
  }

  /// The same without its input, for `x | Conv2D("conv0", {...})`.
  LayerCall operator()(const std::string& name, const Options& options = {}) const {
    return [layer = *this, name, options](const Tensor& x) { return layer(name, x, options); };
  }

 protected:
  const char* kind_;
  Build build_;
};

/// A layer that may also be called without a name; it then opens no scope of its own.
template <typename Options>
class UnnamedLayer : public Layer<Options> {
 public:
  using Layer<Options>::Layer;
  using Layer<Options>::operator();

  Tensor operator()(const Tensor& x, const Options& options = {}) const {
    return this->build_(this->kind_, x, with_argscope(options));
  }
};

/// Chained writing: `x | f` is `f(x)`, for layers that wait for their input, operators (`relu`), and any
/// function of a tensor.
template <std::invocable<const Tensor&> Function>
auto operator|(const Tensor& x, const Function& function) {
  return function(x);
}
inline Tensor operator|(const Tensor& x, Tensor (*op)(const Tensor&, const std::string& name)) {
  return op(x, "");
}

}  // namespace belfry
