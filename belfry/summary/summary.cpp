#include "belfry/summary/summary.h"

#include <fmt/format.h>

#include <regex>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/variable.h"
#include "belfry/summary/internal/summary_nodes.h"

// A summary is a node with the tensor and the tag, in collections; MergeAllSummaries fetches those of one.
// Tags are the names of tensors without their tower, as tensorpack writes them.

namespace belfry {
namespace {

bool is_shown_here(const SummaryOptions& options = {}) {
  const TowerContext* tower = current_tower_context_or_null();
  return !options.main_tower_only || !tower || tower->is_main_training_tower();
}

std::string without_tower(const std::string& name) {
  static const std::regex tower("tower[0-9]+/");
  return std::regex_replace(name, tower, "");
}

std::string scoped_tag(const std::string& name) {
  const std::string& scope = current_name_scope();
  return without_tower(scope.empty() ? name : scope + "/" + name);
}

void add_summary(const char* op, const Tensor& value, const Attributes& attributes, const std::string& name,
                 const std::vector<std::string>& collections) {
  const Tensor summary = default_graph().add(op, {value}, attributes, name + "-summary").output();
  for (const std::string& collection : collections) default_graph().add_to_collection(collection, summary);
}

void check_is_scalar(const char* who, const Tensor& value) {
  if (value.rank() == 0) return;
  throw UsageError(fmt::format("[{}] expected a scalar, got {}", who, describe(value)));
}

Tensor apply(const char* op, const std::vector<Tensor>& inputs, const Attributes& attributes = {}) {
  return default_graph().add(op, inputs, attributes).output();
}

Tensor mean(const Tensor& x) {
  return apply("aten::mean", {x}, {{"dtype", kFloat32}});
}

Tensor rms(const Tensor& x) {
  return apply("aten::sqrt", {mean(apply("aten::square", {x}))});
}

Tensor sparsity(const Tensor& x) {
  return mean(apply("aten::eq.Scalar", {x}, {{"other", 0}}));
}

/// The variables of one moving average, all zeros.
struct AverageVariables {
  Variable average, biased, local_step;
};

AverageVariables create_average(const std::string& tag, DType dtype) {
  GraphScope outside_of_all_scopes(default_graph());
  std::string name = "EMA/" + tag;
  for (int i = 1; default_graph().find_variable(name); ++i) name = fmt::format("EMA/{}_{}", tag, i);
  const VariableOptions options{.dtype = dtype,
                                .initializer =
                                    [](const Shape& shape, DType type) {
                                      return apply("aten::zeros", {}, {{"size", shape}, {"dtype", type}});
                                    },
                                .trainable = false,
                                .collections = {kLocalVariables}};
  return {.average = get_variable(name, {}, options),
          .biased = get_variable(name + "/biased", {}, options),
          .local_step = get_variable(name + "/local_step", {}, options)};
}

}  // namespace

void scalar_summary(const std::string& name, const Tensor& value, const SummaryOptions& options) {
  check_is_scalar("scalar_summary", value);
  if (!is_shown_here(options)) return;
  add_summary(internal::kScalarSummary, value, {{"tag", scoped_tag(name)}}, name, options.collections);
}

void histogram_summary(const std::string& name, const Tensor& values, const SummaryOptions& options) {
  if (!is_shown_here(options)) return;
  add_summary(internal::kHistogramSummary, values, {{"tag", scoped_tag(name)}}, name, options.collections);
}

void image_summary(const std::string& name, const Tensor& images, ImageSummaryOptions options) {
  const int64_t channels = images.rank() == 4 ? images.dim(3) : 0;
  if (channels != 1 && channels != 3 && channels != 4) {
    throw UsageError(fmt::format(
        "[image_summary] expected images [N, H, W, C] with 1, 3 or 4 channels, got {}", describe(images)));
  }
  if (options.max_images < 1) {
    throw UsageError(fmt::format("[image_summary] expected max_images > 0, got {}", options.max_images));
  }
  if (!is_shown_here(options)) return;
  add_summary(internal::kImageSummary, images,
              {{"tag", scoped_tag(name)}, {"max_images", options.max_images}}, name, options.collections);
}

void add_tensor_summary(const Tensor& tensor, const std::vector<std::string>& types, const std::string& name,
                        const SummaryOptions& options) {
  if (!is_shown_here(options)) return;
  const std::string base = name.empty() ? tensor.op_name() : name;
  for (const std::string& type : types) {
    if (type == "scalar") {
      scalar_summary(base, tensor, options);
    } else if (type == "histogram") {
      histogram_summary(base + "-histogram", tensor, options);
    } else if (type == "sparsity") {
      scalar_summary(base + "-sparsity", sparsity(tensor), options);
    } else if (type == "mean") {
      scalar_summary(base + "-mean", mean(tensor), options);
    } else if (type == "rms") {
      scalar_summary(base + "-rms", rms(tensor), options);
    } else {
      throw UsageError(fmt::format(
          "[add_tensor_summary {}] expected scalar, histogram, sparsity, mean or rms, got '{}'", base, type));
    }
  }
}

void add_activation_summary(const Tensor& activation, const std::vector<std::string>& types,
                            const std::string& name, const SummaryOptions& options) {
  if (!is_shown_here(options)) return;
  if (activation.rank() < 2) {
    log_warning("[add_activation_summary] expected an activation of 2 dimensions or more, got {}",
                describe(activation));
    return;
  }
  NameScope scope("activation-summary/");
  add_tensor_summary(activation, types, name, options);
}

void add_param_summary(const std::vector<std::pair<std::string, std::vector<std::string>>>& summaries,
                       const SummaryOptions& options) {
  if (!is_shown_here(options)) return;
  NameScope scope("param-summary/");
  for (const Variable& variable : trainable_variables()) {
    for (const auto& [pattern, types] : summaries) {
      if (std::regex_match(variable.name(), std::regex(pattern))) {
        add_tensor_summary(variable, types, variable.name(), options);
      }
    }
  }
}

std::vector<Tensor> add_moving_summary(const std::vector<Tensor>& scalars,
                                       const MovingSummaryOptions& options) {
  for (const Tensor& scalar : scalars) check_is_scalar("add_moving_summary", scalar);
  if (!is_shown_here()) return {};
  if (current_reuse() == Reuse::kReuse) {
    log_warning("add_moving_summary() called under a variable scope that reuses, ignored.");
    return {};
  }
  std::vector<Tensor> averages;
  for (const Tensor& scalar : scalars) {
    const std::string tag = without_tower(scalar.op_name());
    const DType dtype = c10::isFloatingType(scalar.dtype()) ? scalar.dtype() : kFloat32;
    const AverageVariables variables = create_average(tag, dtype);
    {
      NameScope scope("EMA/");
      averages.push_back(default_graph()
                             .add(internal::kMovingSummary,
                                  {variables.average, variables.biased, variables.local_step, scalar},
                                  {{"tag", tag}, {"decay", options.decay}}, tag + "_EMA_apply")
                             .output());
    }
    if (!options.collection.empty()) default_graph().add_to_collection(options.collection, averages.back());
    if (options.summary_collections.empty()) continue;
    NameScope root("");
    add_summary(internal::kScalarSummary, averages.back(), {{"tag", tag}}, tag, options.summary_collections);
  }
  return averages;
}

}  // namespace belfry
