#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

namespace internal {
struct BuildContext;
}

namespace detail {
/// Restores the thread's scopes when a guard ends.
class ScopeGuard {
 public:
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 protected:
  ScopeGuard();
  ~ScopeGuard();

 private:
  std::unique_ptr<internal::BuildContext> saved_;
};
}  // namespace detail

/// Puts `name`/ in front of the names of nodes built while the guard lives. The name is made unique
/// ("conv0_1"), as in TensorFlow; a name that ends in '/' re-enters that scope as it is, from the root; ""
/// returns to the root. Names are made of letters, digits and _.\/>-, the first a letter, a digit or a dot,
/// as TensorFlow demands; the first character of an inner scope may be any of these. Throws UsageError for
/// others.
class NameScope : detail::ScopeGuard {
 public:
  explicit NameScope(const std::string& name);
};

/// What get_variable does about a name that exists, or does not.
enum class Reuse {
  kInherit,  ///< as the surrounding scope; the outermost is kCreate
  kCreate,   ///< creates; a name that exists is an error
  kReuse,    ///< finds; a name that does not exist is an error
  kAuto,     ///< finds or creates
};

/// Puts `name`/ in front of the names of variables and, like NameScope, of nodes. A name that ends in '/'
/// re-enters the scope of nodes; variables are named as without the slash. Under kReuse inner scopes reuse
/// too.
class VariableScope : detail::ScopeGuard {
 public:
  struct Options {
    Reuse reuse = Reuse::kInherit;
  };
  explicit VariableScope(const std::string& name);
  VariableScope(const std::string& name, Options options);
};

/// Nodes built while the guard lives run after `tensors`. Adds to those of an outer guard.
class ControlDependencies : detail::ScopeGuard {
 public:
  explicit ControlDependencies(const std::vector<Tensor>& tensors);
};

/// Nodes and variables built while the guard lives belong to `device`.
class DeviceScope : detail::ScopeGuard {
 public:
  explicit DeviceScope(c10::Device device);
};

/// Random nodes built while the guard lives take their seed from `seed` and their name, whatever the graph's
/// seed is: each draws numbers of its own. With `exact` the seed is theirs as it is: nodes alike draw the
/// same numbers.
class SeedScope : detail::ScopeGuard {
 public:
  struct Options {
    bool exact = false;
  };
  explicit SeedScope(uint64_t seed);
  SeedScope(uint64_t seed, Options options);
};

/// "tower-pred/conv0", without a slash at the end; "" at the root.
const std::string& current_name_scope();
/// "conv0": the prefix of variables created now.
const std::string& current_variable_scope();
/// kCreate, kReuse or kAuto.
Reuse current_reuse();
c10::Device current_device();

}  // namespace belfry
