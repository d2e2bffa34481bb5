#pragma once

#include <string>
#include <string_view>

namespace belfry {

/// The name of a variable as checkpoints spell it: "conv0/W" for both "conv0/W" and "conv0/W:0".
std::string variable_name(std::string_view name);

/// Guesses, from its name, whether a variable matters to training only: an optimizer's slot, a moving average
/// of a summary, the step counter, the learning rate. Reports of what a checkpoint and a graph do not share
/// leave these out.
bool is_training_name(std::string_view name);

}  // namespace belfry
