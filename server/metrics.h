#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "belfry/predict/batching_predictor.h"

namespace kserve {

/// The counts of a model's predictor, and of HTTP answers by status, in Prometheus' text format.
std::string prometheus_text(const std::string& model, const belfry::BatchingStats& stats,
                            const std::map<int, uint64_t>& responses);

}  // namespace kserve
