#include "belfry/loop/callback.h"

#include <fmt/format.h>

#include "belfry/base/error.h"

namespace belfry {

Trainer& Callback::trainer() const {
  if (!trainer_)
    throw UsageError(fmt::format("[{}] expected to be registered with a trainer, got none", name()));
  return *trainer_;
}

}  // namespace belfry
