#pragma once

// What every program meets: errors, the log, random numbers, shared ownership.
//
// Left out, as only who writes files, data sets or programs like `belfry` needs them: atomic_file.h,
// bounded_queue.h, edit_distance.h, error_context.h, file_system.h, terminal_bar.h.

#include "belfry/base/error.h"
#include "belfry/base/global_seed.h"
#include "belfry/base/log.h"
#include "belfry/base/log_once.h"
#include "belfry/base/log_prefix.h"
#include "belfry/base/logger_dir.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/base/printable.h"
#include "belfry/base/rng.h"
#include "belfry/base/shared.h"
#include "belfry/base/stats.h"
#include "belfry/base/timer.h"
#include "belfry/base/wake_up.h"
