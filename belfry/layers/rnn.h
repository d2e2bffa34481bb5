#pragma once

#include <string>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/layers/rnn_cell.h"

namespace belfry {

struct RnnOptions {
  /// Default: zeros. See RnnState for what each cell takes.
  RnnState initial_state = {};
  /// Of each sequence, integers [N]: later steps give zeros and leave the state as it is. Default: all steps.
  Tensor sequence_length = {};
  std::string scope = "rnn";  ///< the variable scope of the cell
};

struct DynamicRnnOptions {
  RnnState initial_state = {};  ///< as of RnnOptions
  Tensor sequence_length = {};  ///< as of RnnOptions
  bool time_major = false;      ///< inputs and outputs are [T, N, ...] instead of [N, T, ...]
  std::string scope = "rnn";    ///< the variable scope of the cell
};

struct RnnOutputs {
  Tensor outputs;  ///< [N, T, size], or [T, N, size] if time_major
  RnnState state;  ///< after the last step of each sequence
};
/// Runs `cell` over the time of `inputs` [N, T, C], both N and T of which may be dynamic (T not for a
/// cell that runs step by step).
RnnOutputs dynamic_rnn(const RnnCellPtr& cell, const Tensor& inputs, const DynamicRnnOptions& options = {});

struct StaticRnnOutputs {
  std::vector<Tensor> outputs;  ///< [N, size] of each step
  RnnState state;               ///< after the last step of each sequence
};
/// Runs `cell` over a list of inputs [N, C], one for each step, 1 or more.
StaticRnnOutputs static_rnn(const RnnCellPtr& cell, const std::vector<Tensor>& inputs,
                            const RnnOptions& options = {});

struct BidirectionalRnnOptions {
  RnnState initial_state_forward = {}, initial_state_backward = {};
  Tensor sequence_length = {};  ///< as of RnnOptions
  bool time_major = false;
  std::string scope = "bidirectional_rnn";  ///< variables are below "<scope>/fw" and "<scope>/bw"
};
struct BidirectionalRnnOutputs {
  Tensor forward, backward;  ///< as RnnOutputs::outputs, both in the order of the inputs
  RnnState state_forward, state_backward;
};
/// One cell from the first step to the last, and one from the last of each sequence to the first.
BidirectionalRnnOutputs bidirectional_dynamic_rnn(const RnnCellPtr& forward, const RnnCellPtr& backward,
                                                  const Tensor& inputs,
                                                  const BidirectionalRnnOptions& options = {});

struct StaticBidirectionalRnnOutputs {
  std::vector<Tensor> outputs;  ///< [N, size forward + size backward] of each step
  RnnState state_forward, state_backward;
};
/// The same of a list of inputs [N, C]; outputs of both directions are concatenated. `time_major` means
/// nothing here.
StaticBidirectionalRnnOutputs static_bidirectional_rnn(const RnnCellPtr& forward, const RnnCellPtr& backward,
                                                       const std::vector<Tensor>& inputs,
                                                       const BidirectionalRnnOptions& options = {});

}  // namespace belfry
