#pragma once

// Where the inputs of a tower come from: feeding, queues, tensors.

#include "belfry/input/dataflow_input.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/input_source.h"
#include "belfry/input/proxy_input.h"
#include "belfry/input/queue_input.h"
#include "belfry/input/staging_input.h"
#include "belfry/input/tensor_input.h"
