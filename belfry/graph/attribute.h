#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>
#include <c10/util/complex.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

struct Function;

/// The value of one operator argument given by name: a number, a string, a list, a dtype, device, layout or
/// memory format, a constant, a symbolic tensor, or a function. What an argument accepts is said by the
/// operator's schema; a value that does not fit is an error when the node is built.
class Attribute {
 public:
  using Value = std::variant<std::monostate, bool, int64_t, double, c10::complex<double>, std::string,
                             std::vector<int64_t>, std::vector<double>, std::vector<std::string>, DType,
                             c10::Device, c10::Layout, c10::MemoryFormat, at::Tensor, Tensor,
                             std::vector<Tensor>, std::shared_ptr<const Function>>;

  Attribute() = default;  // None
  Attribute(bool value) : value_(value) {}
  Attribute(int value) : value_(int64_t{value}) {}
  Attribute(int64_t value) : value_(value) {}
  Attribute(double value) : value_(value) {}
  Attribute(c10::complex<double> value) : value_(value) {}
  Attribute(const char* value) : value_(std::string(value)) {}
  Attribute(std::string value) : value_(std::move(value)) {}
  Attribute(std::vector<int64_t> value) : value_(std::move(value)) {}
  Attribute(std::vector<double> value) : value_(std::move(value)) {}
  Attribute(std::initializer_list<int64_t> value) : value_(std::vector<int64_t>(value)) {}
  Attribute(std::vector<std::string> value) : value_(std::move(value)) {}
  Attribute(DType value) : value_(value) {}
  Attribute(c10::Device value) : value_(value) {}
  Attribute(c10::Layout value) : value_(value) {}
  Attribute(c10::MemoryFormat value) : value_(value) {}
  Attribute(at::Tensor value) : value_(std::move(value)) {}
  Attribute(Tensor value) : value_(value) {}
  Attribute(std::vector<Tensor> value) : value_(std::move(value)) {}
  Attribute(std::shared_ptr<const Function> value) : value_(std::move(value)) {}

  const Value& value() const { return value_; }

 private:
  Value value_;
};

using Attributes = std::vector<std::pair<std::string, Attribute>>;

}  // namespace belfry
