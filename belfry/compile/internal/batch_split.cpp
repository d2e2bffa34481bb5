#include "belfry/compile/internal/batch_split.h"

#include <algorithm>
#include <unordered_map>

#include "belfry/compile/internal/fused_op.h"

namespace belfry {
namespace {

/// Where a tensor has its samples.
struct Samples {
  int64_t axis = -1;  ///< -1: it does not depend on the batch
  int64_t rows = 1;   ///< length of the axis for each sample

  explicit operator bool() const { return axis >= 0; }
  bool operator==(const Samples&) const = default;
};

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

  /// Elements of one sample.
  static int64_t elements(const Shape& shape, const Samples& samples) {
    int64_t count = samples.rows;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (static_cast<int64_t>(i) != samples.axis) count *= shape[i];
    }
    return count;
  }

  int64_t bytes_of(const Tensor& tensor) const {
    const Samples samples = of(tensor);
    return samples
               ? elements(tensor.shape(), samples) * static_cast<int64_t>(c10::elementSize(tensor.dtype()))
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
    const std::string op = node.op_name();
    const int64_t rank = static_cast<int64_t>(node.outputs()[0].shape.size());
    if (node.op().hasTag(at::Tag::pointwise)) return broadcast(node, rank);

    const Tensor x = node.inputs()[0];
    const Samples samples = of(x);
    auto axis_of = [&](const char* name) {
      const int64_t axis = node.attribute(name).toInt();
      return axis < 0 ? axis + x.rank() : axis;
    };
    auto only_first_input = [&] {
      return std::none_of(node.inputs().begin() + 1, node.inputs().end(),
                          [&](const Tensor& input) { return bool(of(input)); });
    };
    if (op == "aten::embedding") {
      const Samples ids = of(node.inputs()[1]);
      return samples ? std::nullopt : std::optional(ids);
    }
    if (!samples) return std::nullopt;

    if (op.starts_with("belfry::fused_")) {
      const OpParts parts(node);
      const bool weights_depend = std::any_of(parts.inputs.begin() + 1, parts.inputs.begin() + 3,
                                              [&](const Tensor& t) { return bool(of(t)); });
      const Samples residual = parts.has_weights() ? of(parts.inputs[3]) : samples;
      const bool residual_fits = !parts.has_weights() || !parts.inputs[3].defined() || residual == samples;
      const bool own_axis = op == "belfry::fused_conv2d" ? samples.axis == 0 : samples.axis < x.rank() - 1;
      return weights_depend || !residual_fits || !own_axis ? std::nullopt : std::optional(samples);
    }
    if (op == "belfry::max_pool2d" || op == "belfry::avg_pool2d")
      return samples.axis == 0 ? std::optional(samples) : std::nullopt;
    if (op == "aten::layer_norm") {
      const auto normalized = static_cast<int64_t>(node.attribute("normalized_shape").toIntVector().size());
      return only_first_input() && samples.axis < x.rank() - normalized ? std::optional(samples)
                                                                        : std::nullopt;
    }
    if (op == "aten::softmax.int" || op == "aten::log_softmax.int")
      return axis_of("dim") != samples.axis ? std::optional(samples) : std::nullopt;
    if (op == "aten::mean.dim" || op == "aten::sum.dim_IntList" || op == "aten::amax" || op == "aten::amin")
      return reduced(node, samples);
    if (op == "aten::argmax" || op == "aten::argmin") {
      if (node.attribute("dim").isNone() || axis_of("dim") == samples.axis) return std::nullopt;
      return node.attribute("keepdim").toBool() ? samples : without(samples, axis_of("dim"));
    }
    if (op == "aten::reshape" || op == "aten::flatten.using_ints") return reshaped(node, samples);
    if (op == "aten::permute") {
      const auto dims = node.attribute("dims").toIntVector();
      Samples moved = samples;
      for (size_t i = 0; i < dims.size(); ++i) {
        if ((dims[i] < 0 ? dims[i] + x.rank() : dims[i]) == samples.axis)
          moved.axis = static_cast<int64_t>(i);
      }
      return moved;
    }
    if (op == "aten::select.int") {
      const int64_t axis = axis_of("dim");
      return axis == samples.axis ? std::nullopt : std::optional(without(samples, axis));
    }
    if (op == "aten::unsqueeze") {
      int64_t axis = node.attribute("dim").toInt();
      if (axis < 0) axis += rank;
      return Samples{.axis = samples.axis + (axis <= samples.axis), .rows = samples.rows};
    }
    if (op == "aten::cat") {
      for (const Tensor& input : node.inputs()) {
        if (of(input) != samples) return std::nullopt;
      }
      return axis_of("dim") == samples.axis ? std::nullopt : std::optional(samples);
    }
    if (op == "belfry::pad") {
      const auto pads = node.attribute("paddings").toIntVector();
      const auto at = static_cast<size_t>(2 * samples.axis);
      return pads[at] == 0 && pads[at + 1] == 0 ? std::optional(samples) : std::nullopt;
    }
    if (op == "aten::scaled_dot_product_attention") {
      const bool together = of(node.inputs()[1]) == samples && of(node.inputs()[2]) == samples;
      const Tensor mask = input_named(node, "attn_mask");
      const bool mask_fits = !mask.defined() || (!of(mask) && (mask.rank() < rank || mask.dim(0) == 1)) ||
                             (of(mask) == samples && mask.rank() == rank);
      return together && mask_fits && samples.axis < rank - 2 ? std::optional(samples) : std::nullopt;
    }
    if (op == "aten::_to_copy" || op == "aten::clone" || op == "aten::contiguous") return samples;
    return std::nullopt;
  }

  /// Axes are counted from the end.
  std::optional<Samples> broadcast(const Node& node, int64_t rank) const {
    std::optional<Samples> result;
    for (const Tensor& input : node.inputs()) {
      const Samples samples = of(input);
      if (!samples) continue;
      const Samples here{.axis = rank - (input.rank() - samples.axis), .rows = samples.rows};
      if (result && *result != here) return std::nullopt;
      result = here;
    }
    for (const Tensor& input : node.inputs()) {
      const int64_t axis = input.rank() - (rank - result->axis);
      if (!of(input) && axis >= 0 && input.dim(axis) != 1) return std::nullopt;
    }
    return result;
  }

  static Samples without(Samples samples, int64_t axis) {
    samples.axis -= axis < samples.axis;
    return samples;
  }

  static std::optional<Samples> reduced(const Node& node, Samples samples) {
    const c10::IValue dims = node.attribute("dim");
    if (!dims.isIntList() || dims.toIntVector().empty()) return std::nullopt;
    const int64_t rank = node.inputs()[0].rank(), axis = samples.axis;
    for (int64_t dim : dims.toIntVector()) {
      if (dim < 0) dim += rank;
      if (dim == axis) return std::nullopt;
      if (!node.attribute("keepdim").toBool()) samples.axis -= dim < axis;
    }
    return samples;
  }

  /// A sample's elements lie together when its axis is the first, and stay together when the new first one
  /// cuts no sample in two.
  static std::optional<Samples> reshaped(const Node& node, const Samples& samples) {
    const Shape& shape = node.outputs()[0].shape;
    if (samples.axis != 0 || shape.empty() || shape[0] != kDynamic) return std::nullopt;
    const int64_t count = elements(node.inputs()[0].shape(), samples),
                  of_row = elements(shape, Samples{.axis = 0});
    if (of_row == 0 || count % of_row != 0) return std::nullopt;
    return Samples{.axis = 0, .rows = count / of_row};
  }

  const Function& graph_;
  std::unordered_map<Tensor, Samples> samples_;
};

}  // namespace

std::optional<BatchSplit> find_batch_split(const Function& graph) {
  return Tracer(graph).run();
}

int64_t samples_at_once(const BatchSplit& split, int64_t weight_bytes, int64_t batch, int64_t threads,
                        int64_t cache_bytes) {
  auto divide = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t part = batch;
  // A quarter of the cache is best where one sample takes less than that.
  const int64_t fitting =
      split.working_set <= cache_bytes
          ? std::max<int64_t>(cache_bytes / 4 / std::max<int64_t>(split.working_set, 1), 1)
          : 0;
  // Bytes from beyond the cache for each sample: values, whose memory is read to be written, written, and
  // read again; or the weights once more for each part.
  if (fitting > 0 && fitting < batch && weight_bytes / fitting < 3 * split.values + weight_bytes / batch)
    part = fitting;
  part = std::min(part, divide(batch, threads));
  const int64_t parts = divide(divide(batch, part), threads) * threads;  // as many for each thread
  return divide(batch, std::min(parts, batch));
}

}  // namespace belfry
