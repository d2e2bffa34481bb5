#pragma once

#include <string>

#include "belfry/graph/tensor.h"

namespace belfry {

// Connectionist temporal classification (Graves et al., 2006), as TensorFlow's tf.nn.ctc_loss and its
// decoders: `logits` are [T, N, C], time outermost, not normalised, and the last of the C classes is the
// blank. Lists of labels are integers [N, L] with a length for each row; what lies behind it means nothing.

struct CtcLossAttributes {
  /// A sequence too short for its labels has loss 0 and no gradient, rather than being an error of the run.
  bool ignore_longer_outputs_than_inputs = false;
};
/// -log p(labels | logits) for each sequence: [N]. `sequence_length` [N] says how many of the T steps each
/// has. A run throws DataError for a label that is no class or is the blank, and for lengths out of range.
/// There are first derivatives by `logits` alone.
Tensor ctc_loss(const Tensor& logits, const Tensor& labels, const Tensor& label_length,
                const Tensor& sequence_length, const CtcLossAttributes& attributes = {},
                const std::string& name = "");

/// Rows of labels that a run decodes.
struct CtcDecoded {
  Tensor labels;   ///< int64 [N, longest]; -1 behind the end of a row
  Tensor lengths;  ///< int64 [N]
  /// [N]: of the greedy decoder the sum of the largest logits, negative; of the beam search the logarithm of
  /// the probability.
  Tensor score;
};

struct CtcGreedyAttributes {
  bool merge_repeated = true;  ///< one label for neighbours that are the same without a blank between
};
/// The most probable class of each step, without blanks.
CtcDecoded ctc_greedy_decoder(const Tensor& logits, const Tensor& sequence_length,
                              const CtcGreedyAttributes& attributes = {}, const std::string& name = "");

struct CtcBeamSearchAttributes {
  int64_t beam_width = 100;
  /// Also merges labels of a result that are the same, though a blank was between them: what TensorFlow's
  /// first version does unless told otherwise, and what the second does not.
  bool merge_repeated = false;
};
/// The most probable row of labels that a search along `beam_width` prefixes finds.
CtcDecoded ctc_beam_search_decoder(const Tensor& logits, const Tensor& sequence_length,
                                   const CtcBeamSearchAttributes& attributes = {},
                                   const std::string& name = "");

struct EditDistanceAttributes {
  bool normalize = true;  ///< divides by the length of the truth; infinity where that is 0 and it differs
};
/// How many elements have to be put in, left out or changed to make row i of `truth` of row i of
/// `hypothesis` (Levenshtein): float32 [N].
Tensor edit_distance(const Tensor& hypothesis, const Tensor& hypothesis_length, const Tensor& truth,
                     const Tensor& truth_length, const EditDistanceAttributes& attributes = {},
                     const std::string& name = "");

}  // namespace belfry
