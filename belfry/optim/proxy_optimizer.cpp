#include "belfry/optim/proxy_optimizer.h"

#include "belfry/base/error.h"

namespace belfry {

ProxyOptimizer::ProxyOptimizer(std::unique_ptr<Optimizer> optimizer) : optimizer_(std::move(optimizer)) {
  if (!optimizer_) throw UsageError("[ProxyOptimizer] expected an optimizer, got null");
}

}  // namespace belfry
