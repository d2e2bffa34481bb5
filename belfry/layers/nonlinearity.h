#pragma once

#include <cstdint>
#include <string>

#include "belfry/layers/layer.h"
#include "belfry/layers/option.h"

namespace belfry {

struct PReLUOptions {
  Option<double> init = by_default(0.001);  ///< first value of the slope
};

struct MaxoutOptions {
  Option<int64_t> units = {};  ///< how many channels compete for one of the outcome; required
};

/// None of its own: those of its BatchNorm come from an ArgScope.
struct BNReLUOptions {};

namespace detail {
Tensor build_prelu(const std::string& who, const Tensor& x, const PReLUOptions& options);
Tensor build_maxout(const std::string& who, const Tensor& x, const MaxoutOptions& options);
Tensor build_bn_relu(const std::string& who, const Tensor& x, const BNReLUOptions& options);
}  // namespace detail

/// x where positive, else alpha x, with one slope for all elements. Variables: "alpha" [].
inline constexpr Layer<PReLUOptions> PReLU{"PReLU", detail::build_prelu};

/// The largest of each `units` neighbouring channels, the last dimension of `x`: [..., C] to [..., C /
/// units].
inline constexpr UnnamedLayer<MaxoutOptions> Maxout{"Maxout", detail::build_maxout};

/// BatchNorm, named "bn" in the current scope (that of the layer, where it is an activation), then relu.
inline constexpr UnnamedLayer<BNReLUOptions> BNReLU{"BNReLU", detail::build_bn_relu};

}  // namespace belfry
