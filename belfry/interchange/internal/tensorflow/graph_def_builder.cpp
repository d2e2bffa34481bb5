#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"

// A GraphDef is a list of nodes by name. Invariant: names are unique, and a node comes after its inputs, but
// for what closes a loop. Source: docs of tf.raw_ops, tensorflow/core/framework/graph.proto.

namespace belfry::internal {

DataType tf_dtype(DType dtype) {
  return to_stored(dtype, "GraphDef");
}

std::string GraphDefBuilder::unique(const std::string& name) {
  std::string candidate = name;
  for (int count = 1; !names_.insert(candidate).second; ++count)
    candidate = fmt::format("{}_{}", name, count);
  return candidate;
}

TfName GraphDefBuilder::add_named(const std::string& name, const std::string& op, const TfNames& inputs,
                                  TfAttributes attributes) {
  graph_.push_back({unique(name), op, inputs, std::move(attributes)});
  if (inputs.empty() && !pivot_.empty()) graph_.back().inputs = {"^" + pivot_};
  return graph_.back().name;
}

TfName GraphDefBuilder::add(const std::string& op, const TfNames& inputs, TfAttributes attributes) {
  return add_named(scope_.empty() ? op : scope_ + "/" + op, op, inputs, std::move(attributes));
}

TfName GraphDefBuilder::add(const std::string& op, const TfNames& inputs, DType dtype,
                            TfAttributes attributes) {
  attributes["T"] = tf_dtype(dtype);
  return add(op, inputs, std::move(attributes));
}

TfNames GraphDefBuilder::add_multi(const std::string& op, const TfNames& inputs, size_t outputs,
                                   TfAttributes attributes) {
  const TfName first = add(op, inputs, std::move(attributes));
  TfNames results{first};
  for (size_t i = 1; i < outputs; ++i) results.push_back(fmt::format("{}:{}", first, i));
  return results;
}

TfName GraphDefBuilder::constant(const at::Tensor& value, const std::string& name) {
  const at::Tensor dense = value.contiguous();
  const DataType dtype = tf_dtype(dense.scalar_type());
  GraphDefTensor tensor{dtype, dense.sizes().vec(),
                        std::string(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes())};
  TfAttributes attributes{{"dtype", dtype}, {"value", std::move(tensor)}};
  if (name.empty()) return add("Const", {}, std::move(attributes));
  return add_named(name, "Const", {}, std::move(attributes));
}
TfName GraphDefBuilder::constant(const c10::Scalar& value, DType dtype) {
  return constant(at::scalar_tensor(value, dtype));
}
TfName GraphDefBuilder::constant(const std::vector<int64_t>& values) {
  return constant(at::tensor(values, at::kLong).to(at::kInt));
}
TfName GraphDefBuilder::axis(int64_t value) {
  return constant(value, kInt32);
}

TfName GraphDefBuilder::transpose(const TfName& x, DType dtype, const std::vector<int64_t>& permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return x;
  return add("Transpose", {x, constant(permutation)}, dtype);
}

TfName GraphDefBuilder::cast(const TfName& x, DType from, DType to) {
  if (from == to) return x;
  return add("Cast", {x}, {{"SrcT", tf_dtype(from)}, {"DstT", tf_dtype(to)}});
}

TfName GraphDefBuilder::reshape(const TfName& x, DType dtype, const std::vector<int64_t>& shape) {
  return add("Reshape", {x, constant(shape)}, dtype);
}

TfName GraphDefBuilder::sizes(const TfName& x, DType dtype, int64_t begin, int64_t end) {
  const TfName shape = add("Shape", {x}, dtype);
  return add("Slice",
             {shape, constant(std::vector<int64_t>{begin}), constant(std::vector<int64_t>{end - begin})},
             kInt32, {{"Index", DataType::kInt32}});
}

TfName GraphDefBuilder::concat(const TfNames& parts, DType dtype, int64_t along) {
  TfNames inputs = parts;
  inputs.push_back(axis(along));
  return add("ConcatV2", inputs, dtype, {{"N", static_cast<int64_t>(parts.size())}});
}

TfName TfCall::value(std::string_view argument, DType dtype) const {
  const Tensor input = tensor(argument);
  return input.defined() ? value(input, dtype) : TfName();
}
TfName TfCall::value(std::string_view argument) const {
  const Tensor input = tensor(argument);
  return input.defined() ? name_of_(input) : TfName();
}
TfName TfCall::value(const Tensor& input, DType dtype) const {
  return out.cast(name_of_(input), input.dtype(), dtype);
}

void TfCall::unsupported(const std::string& what) const {
  throw UsageError(fmt::format("[export {}] expected what TensorFlow has a counterpart for, got {} ({})",
                               node().name(), what, describe_place(node())));
}

void add_nodes(GraphDefBuilder& out, const Function& function, std::unordered_map<Tensor, TfName>& names) {
  static const TfOps ops = [] {
    TfOps table;
    add_math_ops(table);
    add_reduce_ops(table);
    add_array_ops(table);
    add_lookup_ops(table);
    add_nn_ops(table);
    add_image_ops(table);
    add_loss_ops(table);
    add_recurrent_ops(table);
    add_control_flow_ops(table);
    return table;
  }();
  for (const Weight& weight : function.weights) {
    if (!names.contains(weight.tensor))
      names[weight.tensor] = out.constant(weight.value, node_name(weight.name));
  }
  const std::function<TfName(const Tensor&)> name_of = [&](const Tensor& tensor) { return names.at(tensor); };
  for (const Node* node : function.calls()) {
    out.enter(node->name());
    TfCall call(*node, out, name_of);
    auto found = ops.find(node->op_name());
    if (found == ops.end()) call.unsupported("an unknown operator");
    const TfNames results = found->second(call);
    for (size_t i = 0; i < results.size(); ++i) names[node->output(static_cast<int>(i))] = results[i];
  }
}

TfNames add_calls(GraphDefBuilder& out, const Function& function, std::unordered_map<Tensor, TfName> names) {
  add_nodes(out, function, names);
  TfNames outputs;
  for (size_t i = 0; i < function.outputs.size(); ++i) {
    const Tensor& output = function.outputs[i];
    outputs.push_back(out.add_named(node_name(function.output_names[i]), "Identity", {names.at(output)},
                                    {{"T", tf_dtype(output.dtype())}}));
  }
  return outputs;
}

}  // namespace belfry::internal
