#pragma once

#include <string>
#include <utility>

#include "belfry/program/copy_values.h"
#include "belfry/program/instruction.h"

namespace belfry::internal {

/// Copies a tensor to one of the same type and sizes.
class Copy : public Instruction {
 public:
  Copy(TensorView from, TensorView to) : copy_(std::move(from), std::move(to)) {}
  void run() override { copy_.run(); }
  std::string describe() const override { return "copy"; }

 private:
  CopyValues copy_;
};

/// `x` in the place `inside` of `y`, which holds `value`, one element, elsewhere.
class Pad : public Instruction {
 public:
  Pad(TensorView x, TensorView inside, TensorView y, TensorView value)
      : copy_(std::move(x), std::move(inside)), y_(std::move(y)), value_(std::move(value)) {}
  void run() override {
    fill_values(value_, y_);
    copy_.run();
  }
  std::string describe() const override { return "pad"; }

 private:
  CopyValues copy_;
  TensorView y_, value_;
};

}  // namespace belfry::internal
