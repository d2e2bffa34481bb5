#include "belfry/input/tensor_input.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"

namespace belfry {

TensorInput::TensorInput(Function make_tensors, std::optional<int64_t> size)
    : make_tensors_(std::move(make_tensors)), size_(size) {
  if (size_ && *size_ <= 0)
    throw UsageError(fmt::format("[TensorInput] expected a positive size, got {}", *size_));
}

std::vector<Tensor> TensorInput::input_tensors() {
  NameScope scope(name());
  std::vector<Tensor> tensors = make_tensors_();
  if (tensors.size() != signature().size()) {
    throw UsageError(fmt::format("[TensorInput] expected a function that returns {} tensors, got {}",
                                 signature().size(), tensors.size()));
  }
  return tensors;
}

DummyConstantInput::DummyConstantInput(std::vector<Shape> shapes) : shapes_(std::move(shapes)) {}

void DummyConstantInput::on_setup() {
  if (shapes_.size() != signature().size()) {
    throw UsageError(fmt::format("[DummyConstantInput] expected one shape for each of {} inputs, got {}",
                                 signature().size(), shapes_.size()));
  }
  for (size_t i = 0; i < shapes_.size(); ++i) {
    const TensorSpec& spec = signature()[i];
    const bool is_static = std::find(shapes_[i].begin(), shapes_[i].end(), kDynamic) == shapes_[i].end();
    if (!is_static || !is_compatible_with(spec.shape, shapes_[i])) {
      throw UsageError(fmt::format("[DummyConstantInput] expected a static shape of {} for '{}', got {}",
                                   to_string(spec.shape), spec.name, to_string(shapes_[i])));
    }
  }
}

std::vector<Tensor> DummyConstantInput::input_tensors() {
  NameScope scope(name());
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < shapes_.size(); ++i) {
    const TensorSpec& spec = signature()[i];
    const at::Tensor zeros = at::zeros(shapes_[i], at::TensorOptions(spec.dtype));
    tensors.push_back(default_graph()
                          .add_special(NodeKind::kConstant, "belfry::constant", {}, {{"value", zeros}},
                                       "dummy-" + spec.name, {{spec.dtype, shapes_[i]}})
                          .output());
  }
  return tensors;
}

}  // namespace belfry
