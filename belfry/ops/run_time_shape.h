#pragma once

#include <utility>

#include "belfry/graph/tensor.h"

namespace belfry {

/// A shape that the graph computes, `shape(x)` for instance: an integer tensor [rank]. `known` says what is
/// known of it while building, kDynamic for the rest; empty: only the rank, from the size of the tensor. A
/// run that gives other sizes than the known ones is an error.
struct RunTimeShape {
  RunTimeShape(const Tensor& sizes, Shape known = {}) : sizes(sizes), known(std::move(known)) {}

  Tensor sizes = {};
  Shape known = {};
};

}  // namespace belfry
