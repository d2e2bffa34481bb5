#pragma once

#include <string>

#include "belfry/runtime/session.h"

namespace belfry {

/// Writes what a model needs to predict, the trainable variables and the model's (moving averages), with
/// their values in `session`: to a .npz or .safetensors file, or as a TensorFlow checkpoint otherwise, as
/// save_checkpoint does. Slots of optimizers and step counters stay out. SmartInit restores it.
///
/// Throws UsageError when the graph has no such variables or the format cannot hold one's dtype, and
/// DataError when the file cannot be written.
void dump_session_params(const Session& session, const std::string& path);

}  // namespace belfry
