#pragma once

#include "belfry/step/compiled_step.h"
#include "belfry/step/step_options.h"
