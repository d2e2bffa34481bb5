#include "belfry/callbacks/hyper_param.h"

#include <ATen/ops/full.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {

GraphVarParam::GraphVarParam(std::string name, Shape shape)
    : name_(name.substr(0, name.find(':'))), shape_(std::move(shape)) {}

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
  if (variable_.shape() != shape_) {
    throw UsageError(fmt::format("[GraphVarParam {}] expected {}, got shape {}", name_,
                                 shape_.empty() ? "a scalar variable, or its shape as the second argument"
                                                : "a variable of shape " + to_string(shape_),
                                 to_string(variable_.shape())));
  }
}

at::Tensor GraphVarParam::tensor() const {
  return trainer_->session().value(variable_);
}

double GraphVarParam::value() const {
  const at::Tensor values = tensor().flatten();
  if (values.numel() == 0 || !values.eq(values[0]).all().item<bool>()) {
    throw UsageError(
        fmt::format("[GraphVarParam {}] expected a variable whose elements are all the same, got others; "
                    "tensor() has them",
                    name_));
  }
  return values[0].item<double>();
}

void GraphVarParam::set_value(double value) {
  if (!c10::isFloatingType(variable_.dtype()) && value != std::floor(value)) {
    throw UsageError(fmt::format("[GraphVarParam {}] expected a whole number for a variable of {}, got {}",
                                 name_, to_string(variable_.dtype()), value));
  }
  trainer_->session().set_value(variable_, at::full(shape_, value, variable_.dtype()));
}

void GraphVarParam::set_tensor(const at::Tensor& value) {
  if (!c10::isFloatingType(variable_.dtype()) && c10::isFloatingType(value.scalar_type())) {
    throw UsageError(fmt::format("[GraphVarParam {}] expected whole numbers for a variable of {}, got {}",
                                 name_, to_string(variable_.dtype()), to_string(value.scalar_type())));
  }
  trainer_->session().set_value(variable_, value.to(variable_.dtype()));
}

ObjAttrParam::ObjAttrParam(std::string name, std::function<double()> get, std::function<void(double)> set)
    : name_(std::move(name)), get_(std::move(get)), set_(std::move(set)) {
  if (!get_ || !set_)
    throw UsageError(fmt::format("[ObjAttrParam {}] expected functions to get and set it, got none", name_));
}

}  // namespace belfry
