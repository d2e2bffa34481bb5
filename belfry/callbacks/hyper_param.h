#pragma once

#include <string>

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

/// A scalar variable of the graph: the learning rate, for instance.
class GraphVarParam : public HyperParam {
 public:
  /// The variable's full name, with or without ":0".
  explicit GraphVarParam(std::string name);

  std::string name() const override { return name_; }
  /// Throws UsageError when the graph has no such variable, or it is no scalar.
  void setup_graph(Trainer& trainer) override;
  double value() const override;
  /// Throws UsageError when the variable is an integer and `value` is not.
  void set_value(double value) override;

 private:
  std::string name_;
  Trainer* trainer_ = nullptr;
  Variable variable_;
};

}  // namespace belfry
