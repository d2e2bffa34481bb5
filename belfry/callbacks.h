#pragma once

// What happens while training goes on: savers, evaluation, hyper-parameters, progress.

#include "belfry/callbacks/data_parallel_inference_runner.h"
#include "belfry/callbacks/graph_profiler.h"
#include "belfry/callbacks/hyper_param.h"
#include "belfry/callbacks/hyper_param_setter.h"
#include "belfry/callbacks/inference_runner.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/callbacks/min_saver.h"
#include "belfry/callbacks/model_saver.h"
#include "belfry/callbacks/progress_bar.h"
#include "belfry/callbacks/run_op.h"
#include "belfry/callbacks/stop_on_nan.h"
