#pragma once

// Graphs without the code that built them: ONNX, SavedModel and Belfry's own file.

#include "belfry/interchange/graph_file.h"
#include "belfry/interchange/onnx.h"
#include "belfry/interchange/saved_model.h"
