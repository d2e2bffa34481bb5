#include "belfry/ops/ctc.h"

#include "belfry/ops/call.h"

namespace belfry {

Tensor ctc_loss(const Tensor& logits, const Tensor& labels, const Tensor& label_length,
                const Tensor& sequence_length, const CtcLossAttributes& attributes, const std::string& name) {
  return call("belfry::ctc_loss", {logits, labels, label_length, sequence_length},
              {{"ignore_longer_outputs_than_inputs", attributes.ignore_longer_outputs_than_inputs}}, name);
}

CtcDecoded ctc_greedy_decoder(const Tensor& logits, const Tensor& sequence_length,
                              const CtcGreedyAttributes& attributes, const std::string& name) {
  const auto results = call_multi("belfry::ctc_greedy_decoder", {logits, sequence_length},
                                  {{"merge_repeated", attributes.merge_repeated}}, name);
  return {results[0], results[1], results[2]};
}

CtcDecoded ctc_beam_search_decoder(const Tensor& logits, const Tensor& sequence_length,
                                   const CtcBeamSearchAttributes& attributes, const std::string& name) {
  const auto results = call_multi(
      "belfry::ctc_beam_search_decoder", {logits, sequence_length},
      {{"beam_width", attributes.beam_width}, {"merge_repeated", attributes.merge_repeated}}, name);
  return {results[0], results[1], results[2]};
}

Tensor edit_distance(const Tensor& hypothesis, const Tensor& hypothesis_length, const Tensor& truth,
                     const Tensor& truth_length, const EditDistanceAttributes& attributes,
                     const std::string& name) {
  return call("belfry::edit_distance", {hypothesis, hypothesis_length, truth, truth_length},
              {{"normalize", attributes.normalize}}, name);
}

}  // namespace belfry
