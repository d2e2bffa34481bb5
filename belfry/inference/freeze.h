#pragma once

#include <string>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/runtime/session.h"

namespace belfry {

/// What `outputs` need for given `inputs`, any tensors of the session's graph, with the variables' values of
/// now. Whatever no input flows into is computed, and is a weight. The function does not depend on the
/// session.
///
/// `who`, the function called, begins messages. Throws UsageError for no outputs, a repeated input, and where
/// this part of the graph is no inference graph: it draws random numbers, writes variables, needs a
/// placeholder that is not among `inputs`.
Function freeze_function(const std::string& who, Session& session, const std::vector<Fetch>& inputs,
                         const std::vector<Fetch>& outputs);

/// The same of a function that has the values of its weights itself, as one that was read from a file has:
/// what only weights and constants flow into becomes weights. Throws UsageError where a weight has no value.
Function freeze_function(const std::string& who, const Function& function);

}  // namespace belfry
