#pragma once

#include <string>

#include "belfry/graph/tensor.h"

namespace belfry {

// Recurrent layers over whole sequences, each one operator: the functions below the cells of
// belfry/layers/rnn_cell.h, which own the variables. Weights are in TensorFlow's form and order. `x` is
// [time, batch, channels], time outermost; all tensors but the lengths are of its dtype.

struct RecurrentAttributes {
  /// Of each sequence, integers [N]: steps after it give zeros and leave the state as it is. None: all of
  /// them.
  Tensor lengths = {};
  /// From the last step (of each sequence) to the first. Outputs stay beside their inputs.
  bool reverse = false;
};

struct LstmAttributes {
  double forget_bias = 1;  ///< added to the bias of the forget gate
  Tensor lengths = {};     ///< as of RecurrentAttributes
  bool reverse = false;    ///< as of RecurrentAttributes
};
struct LstmState {
  Tensor cell = {};    ///< [N, units]; none: zeros
  Tensor output = {};  ///< [N, units]; none: zeros
};
struct LstmOutputs {
  Tensor outputs;   ///< [T, N, units]
  LstmState state;  ///< after the last step
};
/// Long short-term memory (Hochreiter & Schmidhuber, 1997). `kernel` [C + units, 4 * units] and `bias`
/// [4 * units] have the columns of the input gate, the candidate, the forget gate and the output gate, in
/// this order.
LstmOutputs lstm(const Tensor& x, const Tensor& kernel, const Tensor& bias, const LstmState& first = {},
                 const LstmAttributes& attributes = {}, const std::string& name = "");

struct GruWeights {
  Tensor gates_kernel = {};      ///< [C + units, 2 * units]: the reset gate, then the update gate
  Tensor gates_bias = {};        ///< [2 * units]
  Tensor candidate_kernel = {};  ///< [C + units, units]
  Tensor candidate_bias = {};    ///< [units]
};
struct GruOutputs {
  Tensor outputs;  ///< [T, N, units]
  Tensor state;    ///< [N, units], after the last step
};
/// Gated recurrent unit (Cho et al., 2014): update * state + (1 - update) * candidate, where the reset gate
/// acts on the state before its product. `first` [N, units]; none: zeros.
GruOutputs gru(const Tensor& x, const GruWeights& weights, const Tensor& first = {},
               const RecurrentAttributes& attributes = {}, const std::string& name = "");

}  // namespace belfry
