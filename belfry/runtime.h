#pragma once

// Sessions: the values of the variables, and how a graph is run.

#include "belfry/runtime/compile_options.h"
#include "belfry/runtime/env_info.h"
#include "belfry/runtime/profiled_step.h"
#include "belfry/runtime/session.h"
#include "belfry/runtime/session_init.h"
