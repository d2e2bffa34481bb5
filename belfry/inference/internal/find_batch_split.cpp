#include "belfry/inference/internal/find_batch_split.h"

#include <algorithm>
#include <unordered_map>

#include "belfry/inference/internal/sample_rules.h"

namespace belfry::internal {
namespace {

/// Follows the samples through a graph.
class Tracer {
 public:
  explicit Tracer(const Function& graph) : graph_(graph) {}

  std::optional<BatchSplit> run() {
    bool any = false;
    for (const Tensor& feed : graph_.inputs) {
      const auto samples = of_feed(feed.shape());
      if (!samples) return std::nullopt;
      samples_[feed] = *samples;
      any = any || *samples;
    }
    if (!any) return std::nullopt;
    BatchSplit split;
    for (const Node* node : graph_.calls()) {
      if (!add(*node)) return std::nullopt;
      int64_t written = 0, read = 0;
      for (size_t i = 0; i < node->outputs().size(); ++i)
        written += bytes_of(node->output(static_cast<int>(i)));
      for (const Tensor& input : node->inputs()) read += bytes_of(input);
      split.values += written;
      split.working_set = std::max(split.working_set, read + written);
    }
    for (const Tensor& fetch : graph_.outputs) {
      const Samples samples = of(fetch);
      if (samples.axis != 0 || samples.rows != 1) return std::nullopt;
    }
    return split;
  }

 private:
  Samples of(const Tensor& tensor) const {
    const auto found = samples_.find(tensor);
    return found == samples_.end() ? Samples() : found->second;
  }

  static std::optional<Samples> of_feed(const Shape& shape) {
    const auto unknown = std::count(shape.begin(), shape.end(), kDynamic);
    if (unknown == 0) return Samples();
    if (unknown > 1 || shape[0] != kDynamic) return std::nullopt;
    return Samples{.axis = 0};
  }

  int64_t bytes_of(const Tensor& tensor) const {
    const Samples samples = of(tensor);
    return samples ? elements_of_sample(tensor.shape(), samples) *
                         static_cast<int64_t>(c10::elementSize(tensor.dtype()))
                   : 0;
  }

  bool add(const Node& node) {
    const bool depends = std::any_of(node.inputs().begin(), node.inputs().end(),
                                     [&](const Tensor& input) { return bool(of(input)); });
    std::optional<Samples> samples = depends ? of_output(node) : Samples();
    if (!samples) return false;
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Shape& shape = node.outputs()[i].shape;
      for (size_t axis = 0; axis < shape.size(); ++axis) {
        if ((shape[axis] == kDynamic) != (static_cast<int64_t>(axis) == samples->axis)) return false;
      }
      samples_[node.output(static_cast<int>(i))] = *samples;
    }
    return true;
  }

  /// The samples of a node's outputs, one of whose inputs has some; nullopt where they may mix.
  std::optional<Samples> of_output(const Node& node) const {
    if (node.kind() != NodeKind::kCall || node.outputs().empty()) return std::nullopt;
    const SampleRule rule = sample_rule(node);
    return rule ? rule({node, [this](const Tensor& tensor) { return of(tensor); }}) : std::nullopt;
  }

  const Function& graph_;
  std::unordered_map<Tensor, Samples> samples_;
};

}  // namespace

std::optional<BatchSplit> find_batch_split(const Function& graph) {
  return Tracer(graph).run();
}

}  // namespace belfry::internal
