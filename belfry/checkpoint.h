#pragma once

// Checkpoints, of TensorFlow's format and of others: writing, reading, restoring.
//
// Left out, as only who writes callbacks and adapters of formats needs them: element_type.h,
// training_state.h.

#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/dump_session_params.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/checkpoint/saver.h"
#include "belfry/checkpoint/variable_names.h"
