#pragma once

// Graphs without the code that built them: ONNX, SavedModel and Belfry's own file.

#include "belfry/export/graph_file.h"
#include "belfry/export/onnx.h"
#include "belfry/export/saved_model.h"
