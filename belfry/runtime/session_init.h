#pragma once

#include "belfry/base/shared.h"
#include "belfry/runtime/session.h"

namespace belfry {

/// Gives a session its first values, from a checkpoint for instance: checkpoint/restore.h has the concrete
/// ones.
class SessionInit {
 public:
  virtual ~SessionInit() = default;
  /// Sets variables of `session`. Trainers and predictors call it after the variables have their initial
  /// values. May be called by hand, any number of times.
  virtual void init(Session& session) const = 0;
};

/// Shares ownership of a SessionInit of any class, so that options can be written
/// `.session_init = SaverRestore(path)`. Empty by default: the session is left as it is.
using AnySessionInit = Shared<const SessionInit>;

}  // namespace belfry
