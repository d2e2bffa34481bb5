#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/predict/graph_predictor.h"

namespace CLI {
class App;
}

namespace belfry::cli {

/// "image=1,224,224,3" as its two parts; the name is empty where there is none. Throws UsageError when there
/// is nothing behind the "=".
std::pair<std::string, std::string> split_name(const std::string& argument);

/// Index of the input or output `name`, which may be empty where there is one only. Throws UsageError, which
/// lists the names.
size_t index_of(const std::string& name, const std::vector<std::string>& names, const char* what);

/// The sizes of a model's inputs, where the file leaves them open.
class InputShapes {
 public:
  /// The option --shape. The object must outlive the parsing.
  void add_options(CLI::App& app);

  /// One shape for each input, nothing dynamic: what --shape gives, otherwise the input's own with `batch` in
  /// the first place. Throws UsageError for sizes that are still open, and shapes that do not fit.
  std::vector<Shape> of(const GraphPredictor& model, int64_t batch) const;

 private:
  std::vector<std::string> arguments_;
};

/// In what dtype a model computes.
class ComputeOption {
 public:
  /// The option --compute. The object must outlive the parsing.
  void add_options(CLI::App& app);
  const std::string& name() const { return name_; }
  CompileOptions compile_options() const;

 private:
  std::string name_ = "float32";
};

/// Inputs or outputs as a list of objects with "name", "dtype" and "shape", where -1 is an open size.
nlohmann::ordered_json ends_to_json(const std::vector<TensorSpec>& specs);

}  // namespace belfry::cli
