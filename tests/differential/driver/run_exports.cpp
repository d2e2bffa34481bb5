#include <filesystem>

#include "tests/differential/driver/job.h"

namespace belfry::differential {
namespace {

/// The placeholders of a model that was read are found by the names that they had.
void run_reimported(const Job& job, const std::string& path, const Tensors& inputs,
                    const std::vector<at::Tensor>& values) {
  Graph graph;
  GraphScope as_default(graph);
  const Function model = import_onnx(path);
  Feeds feeds;
  for (size_t k = 0; k < model.inputs.size(); ++k)
    for (size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].op_name() == model.input_names[k]) feeds.emplace_back(model.inputs[k], values[i]);
  Session session(graph);
  session.initialize_variables();
  const auto results = session.run({model.outputs.begin(), model.outputs.end()}, feeds);
  for (size_t k = 0; k < results.size(); ++k) job.put("reimported/" + std::to_string(k), results[k]);
}

}  // namespace

void run_exports(const Job& job, Session& session, const Tensors& tensors,
                 const std::vector<at::Tensor>& values, const std::vector<Fetch>& outputs) {
  const std::vector<Fetch> inputs(tensors.begin(), tensors.end());
  const std::string path = job.folder + "/" + job.id();
  const bool written = job.attempt(
      "onnx", [&] { export_onnx(session, inputs, outputs, path + ".onnx", {.overwrite = true}); });
  if (written && job.asks_for("reimport"))
    job.attempt("reimported", [&] { run_reimported(job, path + ".onnx", tensors, values); });
  job.attempt("frozen",
              [&] { export_frozen_graph(session, inputs, outputs, path + ".pb", {.overwrite = true}); });
  if (job.asks_for("saved_model")) {
    std::filesystem::remove_all(path);
    job.attempt("saved_model", [&] { export_saved_model(session, inputs, outputs, path); });
  }
  if (job.asks_for("graph_file")) {
    job.attempt("graph_file", [&] {
      save_inference_graph(session, inputs, outputs, path + ".belfry", {.overwrite = true});
      const auto results = load_inference_graph(path + ".belfry")(values);
      for (size_t k = 0; k < results.size(); ++k) job.put("graph_file/" + std::to_string(k), results[k]);
    });
  }
}

}  // namespace belfry::differential
