#include "belfry/loop/proxy_callback.h"

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"

namespace belfry {

ProxyCallback::ProxyCallback(Shared<Callback> inner) : inner_(std::move(inner)) {
  if (!inner_) throw UsageError("[ProxyCallback] expected a callback, got null");
}

void ProxyCallback::attach(Trainer& trainer) {
  Callback::attach(trainer);
  inner_->attach(trainer);
}

// The inner callback's nodes are named as if it were registered itself.
void ProxyCallback::setup_graph() {
  NameScope root("");
  NameScope own(inner_->name());
  inner_->setup_graph();
}

}  // namespace belfry
