#pragma once

// What training shows: scalars, histograms and images, and who writes them.

#include "belfry/summary/gradient_summaries.h"
#include "belfry/summary/json_writer.h"
#include "belfry/summary/merge_all_summaries.h"
#include "belfry/summary/moving_average_summary.h"
#include "belfry/summary/print_stat.h"
#include "belfry/summary/scalar_printer.h"
#include "belfry/summary/summary.h"
#include "belfry/summary/tf_event_writer.h"
