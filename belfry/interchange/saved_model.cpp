#include "belfry/interchange/saved_model.h"

#include <fmt/format.h>
#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/formats/bundle_writer.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// The calls of a frozen function through the table of emitters, between placeholders and identities of the
// public names. A SavedModel keeps variables as variables, with a checkpoint beside the graph and the nodes
// that restore them; a frozen graph has constants.

namespace belfry {
namespace internal {
namespace {

using Names = std::unordered_map<Tensor, TfName>;

void add_inputs(GraphDefBuilder& out, const Function& function, Names& names) {
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    const Tensor& input = function.inputs[i];
    names[input] =
        out.add_named(node_name(function.input_names[i]), "Placeholder", {},
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
  TfName add(const Weight& variable) {
    const at::Tensor& value = variable.value;
    const DataType dtype = tf_dtype(value.scalar_type());
    const std::string& name = variable.name;
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

void write_frozen_graph(const Function& function, const std::string& path) {
  GraphDefBuilder out;
  Names names;
  add_inputs(out, function, names);
  add_calls(out, function, names);
  write_file_atomically(FileSystem::posix(), path, as_byte_span(serialize_graph_def(out.finish())));
}

void write_saved_model(const Function& function, const std::string& folder,
                       const SavedModelOptions& options) {
  SavedModelDef model{.tag = options.tag, .signature_name = options.signature_name};
  GraphDefBuilder out;
  Names names;
  Variables variables(out);
  add_inputs(out, function, names);
  const auto end = [](const TfName& node, const Tensor& tensor) {
    return SignatureTensor{node + ":0", tf_dtype(tensor.dtype()), tensor.shape()};
  };
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    const Tensor& input = function.inputs[i];
    model.inputs[node_name(function.input_names[i])] = end(names[input], input);
  }
  for (const Weight& weight : function.weights) {
    if (weight.variable.defined()) names[weight.tensor] = variables.add(weight);
  }
  const auto results = add_calls(out, function, names);
  for (size_t i = 0; i < results.size(); ++i)
    model.outputs[node_name(function.output_names[i])] = end(results[i], function.outputs[i]);
  variables.finish(model);
  model.graph = out.finish();
  TemporaryPath work(FileSystem::posix(), folder);
  FileSystem::posix().make_dirs(work.path());
  variables.write(work.path() + "/variables");
  write_file_atomically(FileSystem::posix(), work.path() + "/saved_model.pb",
                        as_byte_span(serialize_saved_model(model)));
  work.publish();
}

}  // namespace
}  // namespace internal

void export_frozen_graph(Session& session, const std::vector<Fetch>& inputs,
                         const std::vector<Fetch>& outputs, const std::string& path,
                         const FrozenGraphOptions& options) {
  if (!options.overwrite) internal::check_new("export_frozen_graph", path);
  internal::write_frozen_graph(freeze_function("export_frozen_graph", session, inputs, outputs), path);
}

void export_frozen_graph(const Function& function, const std::string& path,
                         const FrozenGraphOptions& options) {
  if (!options.overwrite) internal::check_new("export_frozen_graph", path);
  internal::write_frozen_graph(freeze_function("export_frozen_graph", function), path);
}

void export_saved_model(Session& session, const std::vector<Fetch>& inputs, const std::vector<Fetch>& outputs,
                        const std::string& folder, const SavedModelOptions& options) {
  internal::check_new("export_saved_model", folder);
  internal::write_saved_model(freeze_function("export_saved_model", session, inputs, outputs), folder,
                              options);
}

void export_saved_model(const Function& function, const std::string& folder,
                        const SavedModelOptions& options) {
  internal::check_new("export_saved_model", folder);
  internal::write_saved_model(freeze_function("export_saved_model", function), folder, options);
}

}  // namespace belfry
