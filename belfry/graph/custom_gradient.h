#pragma once

#include <string_view>
#include <vector>

#include "belfry/graph/node.h"

namespace belfry {

/// Outputs whose gradients are what a function computes ("backward"), instead of those of the operators that
/// computed them. ops/custom_gradient.h adds it.
inline constexpr std::string_view kCustomGradient = "belfry::custom_gradient";

/// Whether `node` is one.
bool is_custom_gradient(const Node& node);
/// What has the values of its outputs, one by one: what stands in its place where no gradients are taken.
std::vector<Tensor> values_of_custom_gradient(const Node& node);

}  // namespace belfry
