#pragma once

// Predictors: of a live session, offline, of a graph file; for many callers at once, for whole data sets.

#include "belfry/predict/async_predictor.h"
#include "belfry/predict/batching_predictor.h"
#include "belfry/predict/compiled_predictor.h"
#include "belfry/predict/dataset_predictor.h"
#include "belfry/predict/feedfree_predictor.h"
#include "belfry/predict/graph_predictor.h"
#include "belfry/predict/multi_tower_predictor.h"
#include "belfry/predict/offline_predictor.h"
#include "belfry/predict/online_predictor.h"
#include "belfry/predict/predictor.h"
#include "belfry/predict/predictor_list.h"
