#include "belfry/graph/internal/shape_rules.h"

namespace belfry::internal {

ShapeRule find_shape_rule(std::string_view) {
  return nullptr;
}

}  // namespace belfry::internal
