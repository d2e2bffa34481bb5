#pragma once

#include <c10/core/Device.h>

#include <string>

#include "belfry/graph/variable.h"

namespace belfry::internal {

/// Creates the variable `name` at the root, or the first of "<name>_1", "<name>_2", ... that is free: so two
/// slots of one optimizer, or of two, get TensorFlow's names.
Variable create_at_root(const std::string& name, const Shape& shape, const VariableOptions& options,
                        c10::Device device);

/// A variable like `variable`, beside it and on its device, in the same order of memory: "W/Momentum". Not
/// trained.
Variable create_slot(const Variable& variable, const std::string& suffix, const Initializer& initializer);

}  // namespace belfry::internal
