#pragma once

#include <functional>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

/// What a callback of functions does at its hooks; each may be none, and gets the callback.
struct CallbackFunctions {
  std::function<void(Callback&)> setup_graph = {};
  std::function<void(Callback&)> before_train = {};
  std::function<void(Callback&)> trigger = {};
  std::function<void(Callback&)> after_train = {};
};

/// A callback made of functions, for what is too little for a class:
///
///     CallbackFactory({.trigger = [](Callback& self) { log_info("{}", self.trainer().epoch_num()); }})
class CallbackFactory : public Callback {
 public:
  explicit CallbackFactory(CallbackFunctions functions) : functions_(std::move(functions)) {}

  std::string name() const override { return "CallbackFactory"; }
  void setup_graph() override { call(functions_.setup_graph); }
  void before_train() override { call(functions_.before_train); }
  void trigger() override { call(functions_.trigger); }
  void after_train() override { call(functions_.after_train); }

 private:
  void call(const std::function<void(Callback&)>& function) {
    if (function) function(*this);
  }

  CallbackFunctions functions_;
};

}  // namespace belfry
