#pragma once

#include <map>
#include <string>

#include "belfry/graph/tensor.h"

namespace belfry::benchmarks {

/// From a batch of images [N, H, W, C], or embeddings [N, T, C], to logits, or the states of the last layer.
using Net = Tensor (*)(const Tensor& input);

/// The nets of benchmarks/peers/nets.py in Belfry, by name, with the same names of variables. They are built
/// in the current TowerContext.
const std::map<std::string, Net>& nets();

}  // namespace belfry::benchmarks
