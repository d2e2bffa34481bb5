#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "belfry/base/error.h"

namespace belfry {

/// A std::shared_ptr<Base> for parameters and options: it can also be made from an object of a class derived
/// from Base, which is copied or moved into it. `.data = QueueInput(train)` and `.data = shared_input` both
/// work.
template <typename Base>
class Shared : public std::shared_ptr<Base> {
 public:
  /// Null.
  Shared() = default;
  /// From whatever converts to a std::shared_ptr<Base>: a shared or a unique pointer, or nullptr.
  template <std::convertible_to<std::shared_ptr<Base>> Pointer>
  Shared(Pointer&& pointer) : std::shared_ptr<Base>(std::forward<Pointer>(pointer)) {}
  /// From an object.
  template <typename T>
  requires std::derived_from<std::remove_cvref_t<T>, std::remove_const_t<Base>> Shared(T&& object)
      : std::shared_ptr<Base>(make(std::forward<T>(object))) {}

 private:
  template <typename T>
  static std::shared_ptr<Base> make(T&& object) {
    constexpr bool can_be_moved = std::constructible_from<std::remove_cvref_t<T>, T>;
    static_assert(
        can_be_moved,
        "an object that is not moved and cannot be copied is handed over by a pointer, "
        "std::make_shared<MyType>(...) in place of MyType(...), or by std::move if its type allows");
    if constexpr (can_be_moved) {
      return std::make_shared<std::remove_cvref_t<T>>(std::forward<T>(object));
    } else {
      return nullptr;
    }
  }
};

/// A Shared that is not null, unless it was moved from. Throws UsageError where a null pointer is given, in
/// the words of Base::kExpected.
template <typename Base>
class NotNull : public Shared<Base> {
 public:
  template <std::convertible_to<Shared<Base>> Object>
  NotNull(Object&& object) : Shared<Base>(std::forward<Object>(object)) {
    if (!*this) throw UsageError(std::string(Base::kExpected) + ", got a null pointer");
  }
};

}  // namespace belfry
