#pragma once

#include <concepts>
#include <memory>
#include <utility>

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
class AnySessionInit {
 public:
  AnySessionInit() = default;
  AnySessionInit(std::nullptr_t) {}
  template <std::derived_from<SessionInit> Init>
  AnySessionInit(Init init) : init_(std::make_shared<const Init>(std::move(init))) {}
  template <std::derived_from<SessionInit> Init>
  AnySessionInit(std::shared_ptr<Init> init) : init_(std::move(init)) {}
  AnySessionInit(std::shared_ptr<const SessionInit> init) : init_(std::move(init)) {}

  explicit operator bool() const { return init_ != nullptr; }
  operator std::shared_ptr<const SessionInit>() const { return init_; }
  void init(Session& session) const {
    if (init_) init_->init(session);
  }

 private:
  std::shared_ptr<const SessionInit> init_;
};

}  // namespace belfry
