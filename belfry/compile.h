#pragma once

// Graphs made fast for inference.

#include "belfry/compile/compiled_callable.h"
#include "belfry/compile/freeze.h"
#include "belfry/compile/profiled_step.h"
