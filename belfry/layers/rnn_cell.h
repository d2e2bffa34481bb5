#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// The state of a cell: tensors [N, size]. Of an LSTM the cell, then the output; of a GRU its output; of a
/// MultiRNNCell the states of its cells, one after the other. Empty: zeros.
using RnnState = std::vector<Tensor>;

/// What one step gives.
struct RnnStep {
  Tensor output;  ///< [N, size]
  RnnState state;
};

/// What all steps give.
struct RnnSequence {
  Tensor outputs;  ///< [T, N, size]
  RnnState state;  ///< after the last step (of each sequence)
};

struct RnnRun {
  RnnState first = {};
  /// Of each sequence, integers [N]: steps after it give zeros and leave the state. None: all steps.
  Tensor lengths = {};
  bool reverse = false;  ///< from the last step of each sequence to the first; outputs stay beside inputs
};

/// What a recurrent layer does at each step. `dynamic_rnn` and `static_rnn` (rnn.h) call it for all of them.
///
/// Variables are made at the first call, under the variable scope of that call and the cell's own name, in
/// TensorFlow's names and shapes: "rnn/basic_lstm_cell/kernel". Later calls in the same graph use the same
/// ones. A cell is not for several threads at a time.
class RnnCell {
 public:
  virtual ~RnnCell() = default;

  /// How many columns each tensor of the state has.
  virtual std::vector<int64_t> state_sizes() const = 0;
  virtual int64_t output_size() const = 0;
  /// One step on `x` [N, C].
  virtual RnnStep step(const Tensor& x, const RnnState& state) const = 0;
  /// All steps on `x` [T, N, C]. Those of the cells below are one operator; of a cell of your own that does
  /// not override it, `step` is called for each, and T must be static (else UsageError).
  virtual RnnSequence run(const Tensor& x, const RnnRun& how) const;
};
/// Cells are shared: the layers of a MultiRNNCell, or both directions, may be one.
using RnnCellPtr = std::shared_ptr<const RnnCell>;

/// Zeros for a batch like that of `x` [..., N, C], whose size may be dynamic.
RnnState zero_state(const RnnCell& cell, const Tensor& x);

struct LSTMCellOptions {
  double forget_bias = 1;           ///< added to the forget gate's; nothing that checkpoints hold
  Initializer initializer = {};     ///< of all but "bias"; default: glorot uniform
  std::optional<std::string> name;  ///< default: TensorFlow's
  // Of LSTMCell alone. A cell with one of them runs step by step.
  bool use_peepholes = false;  ///< the gates see the cell: "w_f_diag", "w_i_diag", "w_o_diag" [units]
  std::optional<double> cell_clip = {};  ///< keeps the cell in [-cell_clip, cell_clip]
  std::optional<int64_t> num_proj = {};  ///< columns of the output, by "projection/kernel" [units, num_proj]
  std::optional<double> proj_clip = {};  ///< keeps the projected output in [-proj_clip, proj_clip]
};
/// Long short-term memory without peepholes. Variables: "basic_lstm_cell/kernel" [C + units, 4 * units],
/// whose columns are the input gate, the candidate, the forget gate and the output gate, and "bias".
RnnCellPtr BasicLSTMCell(int64_t units, LSTMCellOptions options = {});
/// The same as "lstm_cell", as TensorFlow names it; with .use_peepholes and .num_proj that of Sak, Senior and
/// Beaufays (2014). A projected output takes the output's place in the state.
RnnCellPtr LSTMCell(int64_t units, LSTMCellOptions options = {});

struct RNNCellOptions {
  Initializer kernel_initializer = {};  ///< default: glorot uniform
  /// Default: zeros, and ones for the gates of a GRU.
  Initializer bias_initializer = {};
  std::optional<std::string> name;  ///< default: TensorFlow's
};
/// Gated recurrent unit. Variables: "gru_cell/gates/kernel" [C + units, 2 * units], the reset gate and the
/// update gate, "gates/bias", "candidate/kernel" [C + units, units] and "candidate/bias".
RnnCellPtr GRUCell(int64_t units, RNNCellOptions options = {});
/// tanh([x, state] kernel + bias). Variables: "basic_rnn_cell/kernel" [C + units, units], "bias".
RnnCellPtr BasicRNNCell(int64_t units, RNNCellOptions options = {});

struct DropoutWrapperOptions {
  double input_keep_prob = 1;
  double output_keep_prob = 1;
  /// Drops the same elements at all steps (Gal & Ghahramani, 2016).
  bool variational_recurrent = false;
  std::optional<int64_t> seed = {};
};
/// Dropout of the inputs and outputs of `cell`, its state untouched. As in TensorFlow it drops whenever it is
/// built: whoever predicts leaves it away, `if (tower.is_training())`.
RnnCellPtr DropoutWrapper(RnnCellPtr cell, DropoutWrapperOptions options = {});

/// Each cell on the outputs of the one before. Variables are below "multi_rnn_cell/cell_0",
/// "multi_rnn_cell/cell_1", ...
RnnCellPtr MultiRNNCell(std::vector<RnnCellPtr> cells);

}  // namespace belfry
