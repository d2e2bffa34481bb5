#pragma once

// The symbolic graph: tensors, scopes, variables, towers, gradients.
//
// Left out, as only who builds graphs node by node needs them: kernel.h, kernel_error.h, needed_nodes.h,
// rewriter.h, shape_inference.h, special_nodes.h.

#include "belfry/graph/arguments_of.h"
#include "belfry/graph/attribute.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/custom_gradient.h"
#include "belfry/graph/function.h"
#include "belfry/graph/function_value.h"
#include "belfry/graph/gradient_override.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/model_desc.h"
#include "belfry/graph/node.h"
#include "belfry/graph/run_if.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/trace.h"
#include "belfry/graph/types.h"
#include "belfry/graph/variable.h"
#include "belfry/graph/variable_getter.h"
