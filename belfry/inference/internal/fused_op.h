#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/graph/attribute.h"
#include "belfry/graph/node.h"
#include "belfry/program/activation_spec.h"

namespace belfry::internal {

/// A node of one of Belfry's operators in parts, to build a changed one.
struct OpParts {
  std::string op;  ///< "belfry::fused_conv2d"
  std::vector<Tensor> inputs;
  Attributes attributes;  ///< the arguments behind the schema's `*`

  explicit OpParts(const Node& node);

  template <typename T>
  const T& get(std::string_view name) const {
    return std::get<T>(find(name).value());
  }
  void set(std::string_view name, Attribute value) { find(name) = std::move(value); }
  /// Adds the node, named as it stands, to the default graph.
  Tensor build(const std::string& name) const;

  // Of the fused operators (belfry/ops/kernels/fused.cpp):

  bool has_activation() const { return get<std::string>("activation") != "none"; }
  /// True for convolutions and linear operators: inputs are input, weights, bias or none, residual or none.
  bool has_weights() const { return inputs.size() == 4; }

 private:
  const Attribute& find(std::string_view name) const;
  Attribute& find(std::string_view name) { return const_cast<Attribute&>(std::as_const(*this).find(name)); }
};

/// Whether `node` calls the operator of that name.
bool is_call(const Node& node, std::string_view op);

/// Whether `node` calls an operator of Belfry's whose outputs are views of its input, which its schema does
/// not say.
bool is_unannounced_view(const Node& node);

/// The parts of `node`, a fused operator; nullopt for another node.
std::optional<OpParts> fused_op(const Node& node);

/// The input that `node` has for the schema's argument of that name; none where it has none.
Tensor input_named(const Node& node, std::string_view argument);

/// The activation that an ordinary node is.
std::optional<ActivationSpec> activation_of(const Node& node);
/// The operators that activation_of knows.
std::vector<std::string_view> activation_operators();

}  // namespace belfry::internal
