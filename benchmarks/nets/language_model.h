#pragma once

#include "belfry/graph/tensor.h"

namespace belfry::benchmarks {

inline constexpr int64_t kWords = 10000;

/// Two layers of 650 LSTM units between an embedding and a product, the medium model of Zaremba et al. (2014)
/// without dropout: the words [N, T] to logits [T * N, kWords] of the next ones. States start at zero.
Tensor language_model(const Tensor& words);

}  // namespace belfry::benchmarks
