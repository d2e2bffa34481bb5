#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/program/prepared.h"
#include "belfry/runtime/session.h"

namespace belfry::internal {

/// The weights of a compiled function: values of a session's variables, or what is computed of them, made
/// anew when a variable was written since. Any number of threads may use it.
class LiveWeights {
 public:
  /// Values of `variables`, given to `preparation` where there is one. Of the results, those at the indices
  /// `checked` are looked at for numbers that are not ordinary.
  LiveWeights(Session& session, const std::vector<Variable>& variables, std::optional<Function> preparation,
              std::vector<size_t> checked);

  /// The newest values. They stay while the lock is held, which others may hold at the same time.
  std::shared_lock<std::shared_mutex> lock();

  // For who holds the lock:

  const std::shared_ptr<Prepared>& prepared() const { return prepared_; }
  /// Whether the checked weights hold nothing but numbers between -2^64 and 2^64.
  bool are_ordinary() const { return ordinary_; }

 private:
  void refresh();

  Callable read_;
  std::optional<Function> preparation_;
  std::unique_ptr<Session> session_;  ///< of the preparation
  Callable prepare_;
  std::vector<size_t> checked_;

  std::shared_mutex mutex_;  ///< runs share it, a change of the values excludes them
  std::atomic<uint64_t> version_{0};
  std::vector<at::Tensor> values_;
  std::shared_ptr<Prepared> prepared_;  ///< of values_
  bool ordinary_ = true;
};

}  // namespace belfry::internal
