#include <fmt/format.h>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/export/internal/frozen_graph.h"
#include "belfry/export/internal/onnx_ops.h"
#include "belfry/export/onnx.h"

namespace belfry {
namespace internal {

OnnxName OnnxCall::value(std::string_view argument) const {
  const Tensor input = tensor(argument);
  if (input.defined()) return value_of_(input);
  const c10::IValue& given = node().attribute(argument);
  return given.isTensor() ? out.constant(given.toTensor().cpu()) : OnnxName();
}
OnnxName OnnxCall::value(std::string_view argument, DType dtype) const {
  const Tensor input = tensor(argument);
  return input.defined() ? value(input, dtype) : OnnxName();
}
OnnxName OnnxCall::value(const Tensor& input, DType dtype) const {
  return out.cast(value_of_(input), input.dtype(), dtype);
}

void OnnxCall::unsupported(const std::string& what) const {
  throw UsageError(fmt::format("[export_onnx {}] expected what ONNX has a counterpart for, got {} ({})",
                               node().name(), what, locate(node())));
}

const OnnxOps& onnx_ops() {
  static const OnnxOps ops = [] {
    OnnxOps table;
    add_math_ops(table);
    add_array_ops(table);
    add_lookup_ops(table);
    add_reduce_ops(table);
    add_nn_ops(table);
    add_image_ops(table);
    add_loss_ops(table);
    return table;
  }();
  return ops;
}

namespace {

OnnxModel to_onnx(const FrozenGraph& graph) {
  OnnxBuilder out;
  std::unordered_map<Tensor, OnnxName> names;
  for (const Tensor& input : graph.inputs)
    names[input] = out.input(public_name(input), input.dtype(), input.shape());
  for (const auto& [tensor, value] : graph.values) names[tensor] = out.constant(value, public_name(tensor));
  const std::function<OnnxName(const Tensor&)> value_of = [&](const Tensor& tensor) {
    return names.at(graph.source(tensor));
  };
  for (const Node* node : graph.nodes) {
    out.enter(node->name());
    OnnxCall call(*node, out, value_of);
    auto found = onnx_ops().find(node->op_name());
    if (found == onnx_ops().end()) call.unsupported("an unknown operator");
    const OnnxNames results = found->second(call);
    for (size_t i = 0; i < results.size(); ++i) names[node->output(static_cast<int>(i))] = results[i];
  }
  for (const Tensor& output : graph.outputs)
    out.output(public_name(output), value_of(output), output.dtype(), output.shape());
  return out.finish();
}

}  // namespace
}  // namespace internal

void export_onnx(Session& session, const std::vector<Fetch>& inputs, const std::vector<Fetch>& outputs,
                 const std::string& path, const OnnxExportOptions& options) {
  FileSystem& files = FileSystem::posix();
  if (!options.overwrite && files.exists(path))
    throw UsageError(fmt::format("[export_onnx] expected a new file, got {}, which exists", path));
  const auto graph = internal::freeze("export_onnx", session, inputs, outputs);
  write_file_atomically(files, path, as_byte_span(serialize_onnx(internal::to_onnx(graph))));
}

}  // namespace belfry
