#include <fmt/format.h>

#include "belfry/interchange/internal/onnx/importer.h"
#include "belfry/ops/array.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/recurrent.h"
#include "belfry/ops/state.h"

// ONNX's LSTM and GRU, in the forms that are Belfry's: the usual activations, no peepholes, no limits of the
// cell, steps outermost. Weights become TensorFlow's: inputs and states in one kernel, gates in columns.

namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;
using Ints = std::vector<int64_t>;

int64_t directions_of(const OnnxImport& node) {
  return node.text("direction", "forward") == "bidirectional" ? 2 : 1;
}
void check_form(const OnnxImport& node) {
  const std::string direction = node.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    throw ImportFailure{"expected a direction, got " + direction};
  if (node.has_attribute("activations")) throw ImportFailure{"has activations of its own"};
  if (node.has_attribute("clip")) throw ImportFailure{"has limits of its activations"};
  if (node.integer("layout", 0) != 0) throw ImportFailure{"has samples before steps"};
  for (size_t i = 0; i < 3; ++i) {
    if (node.input(i).rank() != 3)
      throw ImportFailure{"expected inputs and weights of 3 dimensions, got " + describe(node.input(i))};
  }
  if (node.input(1).dim(0) != directions_of(node))
    throw ImportFailure{"expected weights for each direction, got " + describe(node.input(1))};
}
int64_t units_of(const OnnxImport& node, int64_t gates) {
  const int64_t units = node.input(2).dim(2);
  if (units == kDynamic || units < 1 || node.input(1).dim(1) != gates * units ||
      node.integer("hidden_size", units) != units)
    throw ImportFailure{fmt::format("expected weights of {} gates", gates)};
  return units;
}

/// Rows of gates as columns, in another order.
Tensor reordered(const Tensor& rows, const Ints& order, int64_t axis) {
  const Tensors parts = split(rows, static_cast<int64_t>(order.size()), axis);
  Tensors result;
  for (int64_t i : order) result.push_back(parts[static_cast<size_t>(i)]);
  return result.size() == 1 ? result[0] : concat(result, axis);
}

/// The weights of one direction.
struct Direction {
  Tensor kernel;  ///< [channels + units, gates * units]
  Tensor bias;    ///< [gates * units]; none: zeros
};
Direction direction_of(const OnnxImport& node, int64_t index, int64_t gates, int64_t units) {
  Direction result;
  const Tensor w = select(node.input(1), index), r = select(node.input(2), index);
  result.kernel = concat({transpose(w, {1, 0}), transpose(r, {1, 0})}, 0);
  if (node.has(3)) {
    const Tensors halves = split(select(node.input(3), index), 2, 0);
    result.bias = halves[0] + halves[1];
  } else {
    result.bias = zeros({gates * units}, node.input().dtype());
  }
  return result;
}
Tensor state_of(const OnnxImport& node, size_t input, int64_t index) {
  return node.has(input) ? select(node.input(input), index) : Tensor();
}
bool is_reverse(const OnnxImport& node, int64_t index) {
  return index == 1 || node.text("direction", "forward") == "reverse";
}

Tensors lstm_as_onnx(const OnnxImport& node) {
  check_form(node);
  if (node.integer("input_forget", 0) != 0) throw ImportFailure{"couples gates"};
  if (node.has(7)) throw ImportFailure{"has peepholes"};
  const int64_t units = units_of(node, 4);
  const Ints order = {0, 3, 2, 1};  // from input, output, forget, candidate
  Tensors outputs, last, cells;
  for (int64_t i = 0; i < directions_of(node); ++i) {
    const Direction weights = direction_of(node, i, 4, units);
    const LstmOutputs y =
        lstm(node.input(), reordered(weights.kernel, order, 1), reordered(weights.bias, order, 0),
             {.cell = state_of(node, 6, i), .output = state_of(node, 5, i)},
             {.forget_bias = 0,
              .lengths = node.has(4) ? node.input(4) : Tensor(),
              .reverse = is_reverse(node, i)});
    outputs.push_back(y.outputs);
    last.push_back(y.state.output);
    cells.push_back(y.state.cell);
  }
  return {stack(outputs, 1), stack(last), stack(cells)};
}

Tensors gru_as_onnx(const OnnxImport& node) {
  check_form(node);
  if (node.integer("linear_before_reset", 0) != 0) throw ImportFailure{"resets after the product"};
  const int64_t units = units_of(node, 3);
  Tensors outputs, last;
  for (int64_t i = 0; i < directions_of(node); ++i) {
    const Direction weights = direction_of(node, i, 3, units);
    const Tensors kernel = split(weights.kernel, 3, 1), bias = split(weights.bias, 3, 0);
    // From update, reset, candidate.
    const GruWeights ours{.gates_kernel = concat({kernel[1], kernel[0]}, 1),
                          .gates_bias = concat({bias[1], bias[0]}, 0),
                          .candidate_kernel = kernel[2],
                          .candidate_bias = bias[2]};
    const GruOutputs y =
        gru(node.input(), ours, state_of(node, 5, i),
            {.lengths = node.has(4) ? node.input(4) : Tensor(), .reverse = is_reverse(node, i)});
    outputs.push_back(y.outputs);
    last.push_back(y.state);
  }
  return {stack(outputs, 1), stack(last)};
}

}  // namespace

void add_recurrent_builds(OnnxBuilds& builds) {
  builds["LSTM"] = lstm_as_onnx;
  builds["GRU"] = gru_as_onnx;
}

}  // namespace belfry::internal
