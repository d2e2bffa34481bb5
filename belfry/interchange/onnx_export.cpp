#include <fmt/format.h>

#include <filesystem>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/internal/onnx/ops.h"
#include "belfry/interchange/onnx.h"

// A frozen function, node by node, through the table of emitters. Weights are written last, inline or, beyond
// max_inline_bytes, in a second file that is published before the model.

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
                               node().name(), what, describe_place(node())));
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
    add_recurrent_ops(table);
    add_control_flow_ops(table);
    return table;
  }();
  return ops;
}

void add_calls(OnnxBuilder& out, const Function& function, std::unordered_map<Tensor, OnnxName>& names) {
  for (const Weight& weight : function.weights)
    names[weight.tensor] = out.constant(weight.value, weight.name);
  const std::function<OnnxName(const Tensor&)> value_of = [&](const Tensor& tensor) {
    return names.at(tensor);
  };
  for (const Node* node : function.calls()) {
    out.enter(node->name());
    OnnxCall call(*node, out, value_of);
    auto found = onnx_ops().find(node->op_name());
    if (found == onnx_ops().end()) call.unsupported("an unknown operator");
    const OnnxNames results = found->second(call);
    for (size_t i = 0; i < results.size(); ++i) names[node->output(static_cast<int>(i))] = results[i];
  }
}

namespace {

using Weights = std::vector<std::pair<OnnxName, at::Tensor>>;

OnnxModel to_onnx(const Function& function, Weights& weights) {
  OnnxBuilder out;
  std::unordered_map<Tensor, OnnxName> names;
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    const Tensor& input = function.inputs[i];
    names[input] = out.input(function.input_names[i], input.dtype(), input.shape());
  }
  add_calls(out, function, names);
  for (size_t i = 0; i < function.outputs.size(); ++i) {
    const Tensor& output = function.outputs[i];
    out.output(function.output_names[i], names.at(output), output.dtype(), output.shape());
  }
  return out.finish(weights);
}

ByteSpan bytes_of(const at::Tensor& value) {
  return {static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()};
}

OnnxTensor describe_weight(const OnnxName& name, const at::Tensor& value) {
  return {{name, to_stored(value.scalar_type(), name), value.sizes().vec()}, ""};
}

void put_inline(OnnxModel& model, const OnnxName& name, const at::Tensor& value) {
  model.initializers.push_back(inline_tensor(name, value));
}

/// Shapes and the like stay in the model, where its readers look for them.
constexpr uint64_t kSmall = 1024;
/// A page, so that readers can map each weight.
constexpr uint64_t kAlignment = 4096;

void write_beside(FileSystem& files, const std::string& path, const Weights& weights, OnnxModel& model) {
  const std::string data = path + ".data";
  AtomicFile file(files, data);
  const std::string zeros(kAlignment, '\0');
  uint64_t offset = 0;
  for (const auto& [name, value] : weights) {
    if (value.nbytes() < kSmall) {
      put_inline(model, name, value);
      continue;
    }
    const uint64_t gap = (kAlignment - offset % kAlignment) % kAlignment;
    file.append(as_byte_span(std::string_view(zeros).substr(0, gap)));
    file.append(bytes_of(value));
    model.initializers.push_back(describe_weight(name, value));
    model.initializers.back().external = {std::filesystem::path(data).filename(), offset + gap,
                                          value.nbytes()};
    offset += gap + value.nbytes();
  }
  if (files.exists(path)) files.remove(path);  // no model with weights of another
  file.publish();
}

void check_new(const std::string& path, const OnnxExportOptions& options) {
  if (!options.overwrite && FileSystem::posix().exists(path))
    throw UsageError(fmt::format("[export_onnx] expected a new file, got {}, which exists", path));
}

void write(const Function& function, const std::string& path, const OnnxExportOptions& options) {
  FileSystem& files = FileSystem::posix();
  Weights weights;
  OnnxModel model = to_onnx(function, weights);
  uint64_t bytes = 0;
  for (const auto& [name, value] : weights) bytes += value.nbytes();
  if (bytes > options.max_inline_bytes) {
    check_new(path + ".data", options);
    write_beside(files, path, weights, model);
  } else {
    for (const auto& [name, value] : weights) put_inline(model, name, value);
  }
  write_file_atomically(files, path, as_byte_span(serialize_onnx(model)));
}

}  // namespace
}  // namespace internal

void export_onnx(Session& session, const std::vector<Fetch>& inputs, const std::vector<Fetch>& outputs,
                 const std::string& path, const OnnxExportOptions& options) {
  internal::check_new(path, options);
  internal::write(freeze_function("export_onnx", session, inputs, outputs), path, options);
}

void export_onnx(const Function& function, const std::string& path, const OnnxExportOptions& options) {
  internal::check_new(path, options);
  internal::write(freeze_function("export_onnx", function), path, options);
}

}  // namespace belfry
