#pragma once

// Models to train, what a training is made of, and the trainers.

#include "belfry/train/distributed_trainer.h"
#include "belfry/train/launch.h"
#include "belfry/train/model_desc.h"
#include "belfry/train/reduce_gradients.h"
#include "belfry/train/single_cost_trainer.h"
#include "belfry/train/tower_trainer.h"
#include "belfry/train/train_config.h"
#include "belfry/train/train_with_defaults.h"
