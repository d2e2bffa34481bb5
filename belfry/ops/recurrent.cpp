#include "belfry/ops/recurrent.h"

#include "belfry/ops/call.h"

namespace belfry {

LstmOutputs lstm(const Tensor& x, const Tensor& kernel, const Tensor& bias, const LstmState& first,
                 const LstmAttributes& attributes, const std::string& name) {
  const auto results =
      call_multi("belfry::lstm", {x, kernel, bias, first.cell, first.output, attributes.lengths},
                 {{"forget_bias", attributes.forget_bias}, {"reverse", attributes.reverse}}, name);
  return {results[0], {results[1], results[2]}};
}

GruOutputs gru(const Tensor& x, const GruWeights& weights, const Tensor& first,
               const RecurrentAttributes& attributes, const std::string& name) {
  const auto results = call_multi("belfry::gru",
                                  {x, weights.gates_kernel, weights.gates_bias, weights.candidate_kernel,
                                   weights.candidate_bias, first, attributes.lengths},
                                  {{"reverse", attributes.reverse}}, name);
  return {results[0], results[1]};
}

}  // namespace belfry
