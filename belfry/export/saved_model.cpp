#include "belfry/export/saved_model.h"

#include <fmt/format.h>
#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/export/internal/frozen_graph.h"
#include "belfry/export/internal/graph_def_builder.h"
#include "belfry/formats/bundle_writer.h"

namespace belfry {
namespace internal {
namespace {

using Names = std::unordered_map<Tensor, TfName>;

void add_inputs(GraphDefBuilder& out, const FrozenGraph& graph, Names& names) {
  for (const Tensor& input : graph.inputs) {
    names[input] =
        out.add_named(tf_node_name(input), "Placeholder", {},
                      {{"dtype", tf_dtype(input.dtype())}, {"shape", GraphDefShape{input.shape()}}});
  }
}

TfName add_strings(GraphDefBuilder& out, const std::string& name, const std::vector<int64_t>& shape,
                   std::vector<std::string> values) {
  return out.add_named(name, "Const", {},
                       {{"dtype", DataType::kString},
                        {"value", GraphDefTensor{DataType::kString, shape, "", std::move(values)}}});
}

/// Variables with their checkpoint beside the graph, and the nodes that restore them from it.
class Variables {
 public:
  explicit Variables(GraphDefBuilder& out) : out_(out) {}

  /// The value of a variable at run time.
  TfName add(const Tensor& variable, const at::Tensor& value) {
    const DataType dtype = tf_dtype(value.scalar_type());
    const std::string name = variable.op_name();
    const TfName handle = out_.add_named(
        name, "VarHandleOp", {},
        {{"dtype", dtype}, {"shape", GraphDefShape{value.sizes().vec()}}, {"shared_name", name}});
    handles_.push_back(handle);
    names_.push_back(name);
    dtypes_.push_back(dtype);
    values_.push_back(value);
    return out_.add_named(name + "/Read/ReadVariableOp", "ReadVariableOp", {handle}, {{"dtype", dtype}});
  }

  /// Adds what restores all variables to `model`.
  void finish(SavedModelDef& model) {
    if (names_.empty()) return;
    const int64_t count = static_cast<int64_t>(names_.size());
    model.checkpoint_path_node = add_strings(out_, "save/Const", {}, {"model"});
    const TfName names = add_strings(out_, "save/RestoreV2/tensor_names", {count}, names_);
    const TfName slices = add_strings(out_, "save/RestoreV2/shape_and_slices", {count},
                                      std::vector<std::string>(names_.size()));
    const TfName restored = out_.add_named(
        "save/RestoreV2", "RestoreV2", {model.checkpoint_path_node, names, slices}, {{"dtypes", dtypes_}});
    TfNames assigned;
    for (size_t i = 0; i < names_.size(); ++i) {
      const TfName value = i == 0 ? restored : fmt::format("{}:{}", restored, i);
      const TfName assign = out_.add_named("save/AssignVariableOp", "AssignVariableOp", {handles_[i], value},
                                           {{"dtype", dtypes_[i]}});
      assigned.push_back(fmt::format("^{}", assign));
    }
    model.restore_node = out_.add_named("save/restore_all", "NoOp", assigned, {});
  }

  void write(const std::string& folder) const {
    if (names_.empty()) return;
    FileSystem::posix().make_dirs(folder);
    BundleWriter writer(folder + "/variables");
    for (size_t i = 0; i < names_.size(); ++i) {
      writer.add(names_[i], dtypes_[i], values_[i].sizes().vec(),
                 {static_cast<const std::byte*>(values_[i].const_data_ptr()), values_[i].nbytes()});
    }
    writer.finish();
  }

 private:
  GraphDefBuilder& out_;
  TfNames handles_;
  std::vector<std::string> names_;
  std::vector<DataType> dtypes_;
  std::vector<at::Tensor> values_;
};

void check_new(const std::string& who, const std::string& path) {
  if (FileSystem::posix().exists(path))
    throw UsageError(fmt::format("[{}] expected a new path, got {}, which exists", who, path));
}

}  // namespace
}  // namespace internal

void export_frozen_graph(Session& session, const std::vector<Fetch>& inputs,
                         const std::vector<Fetch>& outputs, const std::string& path,
                         const FrozenGraphOptions& options) {
  if (!options.overwrite) internal::check_new("export_frozen_graph", path);
  const auto graph = internal::freeze("export_frozen_graph", session, inputs, outputs);
  internal::GraphDefBuilder out;
  internal::Names names;
  internal::add_inputs(out, graph, names);
  for (const auto& [tensor, value] : graph.values)
    names[tensor] = out.constant(value, internal::tf_node_name(tensor));
  internal::add_calls(out, graph, names);
  write_file_atomically(FileSystem::posix(), path, as_byte_span(serialize_graph_def(out.finish())));
}

void export_saved_model(Session& session, const std::vector<Fetch>& inputs, const std::vector<Fetch>& outputs,
                        const std::string& folder, const SavedModelOptions& options) {
  internal::check_new("export_saved_model", folder);
  const auto graph = internal::freeze("export_saved_model", session, inputs, outputs);
  SavedModelDef model{.tag = options.tag, .signature_name = options.signature_name};
  internal::GraphDefBuilder out;
  internal::Names names;
  internal::Variables variables(out);
  internal::add_inputs(out, graph, names);
  for (const Tensor& input : graph.inputs)
    model.inputs[internal::tf_node_name(input)] = {names[input] + ":0", internal::tf_dtype(input.dtype()),
                                                   input.shape()};
  for (const auto& [tensor, value] : graph.values) {
    names[tensor] = tensor.node().kind() == NodeKind::kVariable
                        ? variables.add(tensor, value)
                        : out.constant(value, internal::tf_node_name(tensor));
  }
  const auto results = internal::add_calls(out, graph, names);
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor& output = graph.outputs[i];
    model.outputs[internal::tf_node_name(output)] = {results[i] + ":0", internal::tf_dtype(output.dtype()),
                                                     output.shape()};
  }
  variables.finish(model);
  model.graph = out.finish();
  TemporaryPath work(FileSystem::posix(), folder);
  FileSystem::posix().make_dirs(work.path());
  variables.write(work.path() + "/variables");
  write_file_atomically(FileSystem::posix(), work.path() + "/saved_model.pb",
                        as_byte_span(serialize_saved_model(model)));
  work.publish();
}

}  // namespace belfry
