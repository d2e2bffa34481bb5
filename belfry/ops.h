#pragma once

// Every function that adds nodes to the default graph.
//
// Left out, as it is a shorter list of the same: ops.h.

#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/control_flow.h"
#include "belfry/ops/ctc.h"
#include "belfry/ops/custom_gradient.h"
#include "belfry/ops/detection.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/loss.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/random.h"
#include "belfry/ops/recurrent.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/run_time_shape.h"
#include "belfry/ops/state.h"
