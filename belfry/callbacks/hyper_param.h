#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>

#include "belfry/graph/variable.h"

namespace belfry {

class Trainer;

/// A number that callbacks can change while training.
class HyperParam {
 public:
  virtual ~HyperParam() = default;
  /// For messages: "learning_rate".
  virtual std::string name() const = 0;
  /// Called in the setup_graph of the callback that sets it. The trainer outlives the parameter's use.
  virtual void setup_graph(Trainer& trainer) { (void)trainer; }
  virtual double value() const = 0;
  virtual void set_value(double value) = 0;
};

/// A variable of the graph: the learning rate, for instance. One that is no scalar is set to one number for
/// all its elements, or to a tensor.
class GraphVarParam : public HyperParam {
 public:
  /// `name`: the variable's full name, with or without ":0". `shape`: the variable's.
  explicit GraphVarParam(std::string name, Shape shape = {});

  std::string name() const override { return name_; }
  /// Throws UsageError when the graph has no such variable, or it is of another shape.
  void setup_graph(Trainer& trainer) override;
  /// Throws UsageError when the variable's elements are not all the same: tensor() has them.
  double value() const override;
  /// Throws UsageError when the variable is an integer and `value` is not.
  void set_value(double value) override;

  /// The variable's value.
  at::Tensor tensor() const;
  /// `value` is cast to the variable's dtype. Throws UsageError for another shape, or when the variable is an
  /// integer and `value` is not.
  void set_tensor(const at::Tensor& value);

 private:
  std::string name_;
  Shape shape_;
  Trainer* trainer_ = nullptr;
  Variable variable_;
};

/// A number of an object that is no part of a graph, through two functions or as a member:
///
///     ObjAttrParam(agent, &Agent::exploration, "exploration")
class ObjAttrParam : public HyperParam {
 public:
  /// Throws UsageError where a function is none.
  ObjAttrParam(std::string name, std::function<double()> get, std::function<void(double)> set);
  /// `object` must outlive the parameter's use.
  template <typename Object, typename Number>
  ObjAttrParam(Object& object, Number Object::*member, std::string name)
      : ObjAttrParam(
            std::move(name), [&object, member] { return static_cast<double>(object.*member); },
            [&object, member](double value) { object.*member = static_cast<Number>(value); }) {}

  std::string name() const override { return name_; }
  double value() const override { return get_(); }
  void set_value(double value) override { set_(value); }

 private:
  std::string name_;
  std::function<double()> get_;
  std::function<void(double)> set_;
};

}  // namespace belfry
