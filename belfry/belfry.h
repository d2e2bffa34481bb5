#pragma once

// The public surface of Belfry: everything that a program which trains or predicts needs, by folder. Image
// augmentation, storage and remote data, of the library Belfry::data, are in belfry/data.h.

#include <ATen/TensorOperators.h>

#include "belfry/base.h"
#include "belfry/callbacks.h"
#include "belfry/checkpoint.h"
#include "belfry/dataflow.h"
#include "belfry/distributed.h"
#include "belfry/graph.h"
#include "belfry/inference.h"
#include "belfry/input.h"
#include "belfry/interchange.h"
#include "belfry/layers.h"
#include "belfry/loop.h"
#include "belfry/ops.h"
#include "belfry/optim.h"
#include "belfry/predict.h"
#include "belfry/runtime.h"
#include "belfry/step.h"
#include "belfry/summary.h"
#include "belfry/train.h"
