#pragma once

// What owns variables: Conv2D, BatchNorm, FullyConnected and others, and the defaults of their options.
//
// Left out, as ArgScope does what it is for: option_fields.h.

#include "belfry/layers/activation.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/batch_renorm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/describe_model.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/layer_norm.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/number_or_tensor.h"
#include "belfry/layers/option.h"
#include "belfry/layers/options.h"
#include "belfry/layers/pooling.h"
#include "belfry/layers/regularize.h"
#include "belfry/layers/rnn.h"
#include "belfry/layers/rnn_cell.h"
#include "belfry/layers/shapes.h"
