#pragma once

#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry::internal {

/// One call of a layer, as describe_model lists it.
struct LayerRecord {
  std::string kind;
  std::string name;  ///< its variable scope, the same in every tower
  std::vector<Tensor> inputs, outputs;
};

/// The extension of a graph that holds its layers, in the order in which their calls began: a layer stands
/// before the layers that it calls.
struct LayerRecords {
  std::vector<LayerRecord> list;
};

}  // namespace belfry::internal
