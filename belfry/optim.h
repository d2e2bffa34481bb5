#pragma once

// Optimizers, and what is done to gradients before they are applied.

#include "belfry/optim/accum_grad_optimizer.h"
#include "belfry/optim/adadelta.h"
#include "belfry/optim/adagrad.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/adamw.h"
#include "belfry/optim/decay.h"
#include "belfry/optim/ftrl.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/gradient_processor.h"
#include "belfry/optim/lars.h"
#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/momentum.h"
#include "belfry/optim/moving_average.h"
#include "belfry/optim/optimizer.h"
#include "belfry/optim/post_process_optimizer.h"
#include "belfry/optim/proxy_optimizer.h"
#include "belfry/optim/rms_prop.h"
#include "belfry/optim/variable_optimizer.h"
