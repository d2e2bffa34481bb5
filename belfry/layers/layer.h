#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/argscope.h"

namespace belfry {

/// A layer that waits for its input: what `Conv2D("conv0", {...})` without a tensor makes, to be used with |.
using LayerCall = std::function<Tensor(const Tensor& x)>;

namespace detail {

/// The part of a layer call that is the same for all layers: opens the variable scope, then names and
/// registers the outcome.
class LayerScope {
 public:
  LayerScope(const char* kind, const std::string& name, const std::vector<Tensor>& inputs,
             bool log_shape = true);
  ~LayerScope();
  /// "Conv2D conv0", for messages.
  std::string who() const;
  Tensor finish(const Tensor& result);
  std::vector<Tensor> finish(std::vector<Tensor> results);

 private:
  std::string kind_, name_;
  VariableScope scope_;
  bool log_shape_;
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

  /// `log_shape`: whether the shapes are logged.
  constexpr Layer(const char* kind, Build build, bool log_shape = true)
      : kind_(kind), build_(build), log_shape_(log_shape) {}

  /// Applies the layer to `x`. Throws UsageError when a required option is still open, or `x` does not fit.
  Tensor operator()(const std::string& name, const Tensor& x, const Options& options = {}) const {
    detail::LayerScope scope(kind_, name, {x}, log_shape_);
    return scope.finish(build_(scope.who(), x, with_argscope(options)));
  }

  /// The same without its input, for `x | Conv2D("conv0", {...})`.
  LayerCall operator()(const std::string& name, const Options& options = {}) const {
    return [layer = *this, name, options](const Tensor& x) { return layer(name, x, options); };
  }

 protected:
  const char* kind_;
  Build build_;
  bool log_shape_;
};

/// A layer of several inputs or outputs: `MultiLayer<MyOptions> MyLayer{"MyLayer", build_my_layer}`, called
/// as `MyLayer("name", {x, y})`, gives a list. Outcomes are named "<name>/output", "<name>/output_1", ...
template <typename Options>
class MultiLayer {
 public:
  using Build = std::vector<Tensor> (*)(const std::string& who, const std::vector<Tensor>& inputs,
                                        const Options& options);

  constexpr MultiLayer(const char* kind, Build build, bool log_shape = true)
      : kind_(kind), build_(build), log_shape_(log_shape) {}

  /// Throws UsageError when a required option is still open, or the inputs do not fit; there must be one.
  std::vector<Tensor> operator()(const std::string& name, const std::vector<Tensor>& inputs,
                                 const Options& options = {}) const {
    detail::LayerScope scope(kind_, name, inputs, log_shape_);
    return scope.finish(build_(scope.who(), inputs, with_argscope(options)));
  }

 private:
  const char* kind_;
  Build build_;
  bool log_shape_;
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

/// `x`, after logging what it is while the graph is built: `x | Conv2D(…) | print_tensor | …`.
Tensor print_tensor(const Tensor& x);

/// The variables of one call of a layer.
class LayerVariables {
 public:
  explicit LayerVariables(Graph& graph, std::string scope) : graph_(&graph), scope_(std::move(scope)) {}
  /// "W" of the layer "conv0" is the variable "conv0/W". Throws UsageError, with those that there are, when
  /// there is none.
  Variable operator[](const std::string& name) const;
  /// All of them, those of layers inside too.
  std::vector<Variable> list() const;

 private:
  Graph* graph_;
  std::string scope_;
};
/// Of the layer whose outcome `output` is: `variables_of(Conv2D("conv0", x, …))["W"]`. Throws UsageError for
/// a tensor that is none's.
LayerVariables variables_of(const Tensor& output);

/// No layer of the default graph that is called from now on logs its shapes. describe_model still lists them.
void disable_layer_logging();

}  // namespace belfry
