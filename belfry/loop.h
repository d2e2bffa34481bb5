#pragma once

// The training loop without a model: callbacks, monitors, the trainer.

#include "belfry/loop/callback.h"
#include "belfry/loop/callback_factory.h"
#include "belfry/loop/enable_callback_if.h"
#include "belfry/loop/monitor.h"
#include "belfry/loop/no_op_trainer.h"
#include "belfry/loop/periodic_trigger.h"
#include "belfry/loop/proxy_callback.h"
#include "belfry/loop/run_profile.h"
#include "belfry/loop/step_runner.h"
#include "belfry/loop/stop_on_signal.h"
#include "belfry/loop/trainer.h"
