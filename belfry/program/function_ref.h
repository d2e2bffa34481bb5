#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace belfry::internal {

template <typename Signature>
class FunctionRef;

/// A function that somebody else holds, for the time of a call: unlike std::function it never allocates.
template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <typename Function>
  requires(!std::is_same_v<std::remove_cvref_t<Function>, FunctionRef>) FunctionRef(Function&& function)
      : function_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* held, Arguments... arguments) -> Result {
          return (*static_cast<std::remove_reference_t<Function>*>(held))(
              std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const {
    return call_(function_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* function_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace belfry::internal
