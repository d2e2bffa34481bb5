#pragma once

namespace belfry {

/// Which part of a dataset.
enum class Split { kTrain, kTest };

}  // namespace belfry
