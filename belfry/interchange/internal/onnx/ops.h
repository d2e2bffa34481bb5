#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/interchange/internal/arguments_of.h"
#include "belfry/interchange/internal/onnx/builder.h"

namespace belfry::internal {

/// A node to be written as ONNX: its arguments, and the values that stand for its tensors.
class OnnxCall : public ArgumentsOf {
 public:
  OnnxCall(const Node& node, OnnxBuilder& out, const std::function<OnnxName(const Tensor&)>& value_of)
      : ArgumentsOf(node), out(out), value_of_(value_of) {}

  OnnxBuilder& out;

  /// The value for an argument; "" for none.
  OnnxName value(std::string_view argument) const;
  /// As above, cast.
  OnnxName value(std::string_view argument, DType dtype) const;
  OnnxName value(const Tensor& tensor, DType dtype) const;

  /// Throws the UsageError that this call, because of `what`, has no counterpart.
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  const std::function<OnnxName(const Tensor&)>& value_of_;
};

/// From the name of an operator to what adds its nodes and gives its results.
using OnnxEmit = std::function<OnnxNames(OnnxCall&)>;
using OnnxOps = std::unordered_map<std::string, OnnxEmit>;

// Each in its own file.
void add_math_ops(OnnxOps& ops);
void add_array_ops(OnnxOps& ops);
void add_lookup_ops(OnnxOps& ops);
void add_reduce_ops(OnnxOps& ops);
void add_nn_ops(OnnxOps& ops);
void add_image_ops(OnnxOps& ops);
void add_loss_ops(OnnxOps& ops);
void add_recurrent_ops(OnnxOps& ops);
void add_control_flow_ops(OnnxOps& ops);

const OnnxOps& onnx_ops();

/// Adds the weights and calls of `function`. `names` holds what stands for its inputs, and gets what stands
/// for the rest.
void add_calls(OnnxBuilder& out, const Function& function, std::unordered_map<Tensor, OnnxName>& names);

/// `x`, of shape `from`, with the dimensions [begin, end) made one.
OnnxName flatten(OnnxBuilder& out, const OnnxName& x, const Shape& from, int64_t begin, int64_t end);
/// `x` with its last dimension as the second, which is where ONNX has channels, and back.
OnnxName channels_second(OnnxBuilder& out, const OnnxName& x, int64_t rank);
OnnxName channels_last(OnnxBuilder& out, const OnnxName& x, int64_t rank);
/// A reduction of `x` over `axes`. In opset 17 ReduceSum takes the axes as an input, the others as an
/// attribute.
OnnxName reduce(OnnxBuilder& out, const std::string& op, const OnnxName& x, const std::vector<int64_t>& axes,
                bool keep);

}  // namespace belfry::internal
