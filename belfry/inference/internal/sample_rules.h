#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "belfry/graph/node.h"

namespace belfry::internal {

/// Where a tensor has its samples.
struct Samples {
  int64_t axis = -1;  ///< -1: it does not depend on the batch
  int64_t rows = 1;   ///< length of the axis for each sample

  explicit operator bool() const { return axis >= 0; }
  bool operator==(const Samples&) const = default;
};

/// Elements of one sample of a tensor of that shape.
int64_t elements_of_sample(const Shape& shape, const Samples& samples);

/// A node, and where its inputs have their samples; at least one has some.
struct SampledCall {
  const Node& node;
  std::function<Samples(const Tensor&)> of;
};
/// Where the outputs of a call have their samples, each computed from that sample of the inputs alone;
/// nullopt where that is not certain.
using SampleRule = std::optional<Samples> (*)(const SampledCall& call);

/// The rule of the node's operator; null where it has none.
SampleRule sample_rule(const Node& node);

}  // namespace belfry::internal
