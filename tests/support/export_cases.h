#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/runtime/session.h"

namespace belfry::test {

using Tensors = std::vector<Tensor>;

struct ExportCase {
  std::string name;
  std::vector<TensorSpec> inputs;
  std::function<Tensors(const Tensors& inputs)> build;
};

/// Small graphs, between them of every operator that is exported: each format writes them, and its reader
/// must compute what the session computes.
std::vector<ExportCase> export_cases();

/// A case as a graph with a session whose variables hold random values.
class BuiltCase {
 public:
  explicit BuiltCase(const ExportCase& source);

  /// Random inputs; dynamic dimensions get size `dynamic`.
  std::vector<at::Tensor> random_inputs(int64_t dynamic) const;
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& values) {
    return session.make_callable(inputs, outputs)(values);
  }

  /// Writes inputs as a .npz of their names.
  void save_inputs(const std::string& path, const std::vector<at::Tensor>& values) const;
  /// Writes the names that the outputs have in TensorFlow, a line each.
  void save_output_names(const std::string& path) const;

  Graph graph;
  Session session;
  std::vector<Fetch> inputs, outputs;

 private:
  std::vector<TensorSpec> specs_;
};

/// Expects the arrays "0", "1", … of a .npz, results of another library's kernels, to be close to `expected`.
void expect_results(const std::string& path, const std::vector<at::Tensor>& expected);

}  // namespace belfry::test
