#include "belfry/callbacks/hyper_param.h"

#include <ATen/ops/full.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {

GraphVarParam::GraphVarParam(std::string name) : name_(name.substr(0, name.find(':'))) {}

void GraphVarParam::setup_graph(Trainer& trainer) {
  trainer_ = &trainer;
  const VariableRecord* record = trainer.graph().find_variable(name_);
  if (!record) {
    throw UsageError(fmt::format(
        "[GraphVarParam] expected a variable of the graph, got '{0}'. A learning rate given as a number is a "
        "constant: to change while training it must be a variable, get_variable(\"{0}\", {{}}, "
        "{{.initializer = constant_initializer(0.1), .trainable = false}})",
        name_));
  }
  variable_ = Variable(record);
  if (!variable_.shape().empty()) {
    throw UsageError(fmt::format("[GraphVarParam {}] expected a scalar variable, got shape {}", name_,
                                 to_string(variable_.shape())));
  }
}

double GraphVarParam::value() const {
  return trainer_->session().value(variable_).item<double>();
}

void GraphVarParam::set_value(double value) {
  if (!c10::isFloatingType(variable_.dtype()) && value != std::floor(value)) {
    throw UsageError(fmt::format("[GraphVarParam {}] expected a whole number for a variable of {}, got {}",
                                 name_, to_string(variable_.dtype()), value));
  }
  trainer_->session().set_value(variable_, at::full({}, value, variable_.dtype()));
}

ObjAttrParam::ObjAttrParam(std::string name, std::function<double()> get, std::function<void(double)> set)
    : name_(std::move(name)), get_(std::move(get)), set_(std::move(set)) {
  if (!get_ || !set_)
    throw UsageError(fmt::format("[ObjAttrParam {}] expected functions to get and set it, got none", name_));
}

}  // namespace belfry
