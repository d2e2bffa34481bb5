#pragma once

#include <string>

namespace belfry::internal {

/// An activation in the words of the fused operators.
struct ActivationSpec {
  std::string name;
  double alpha = 0, beta = 0;
};

}  // namespace belfry::internal
