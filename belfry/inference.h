#pragma once

// Graphs made fast for inference.

#include "belfry/inference/compiled_callable.h"
#include "belfry/inference/freeze.h"
