#pragma once

#include <string>

#include "belfry/graph/tensor.h"

namespace belfry {

/// -log softmax(logits)[label] for each row: [..., C], integers [...] to [...].
Tensor sparse_softmax_cross_entropy(const Tensor& logits, const Tensor& labels, const std::string& name = "");
/// -sum(labels * log softmax(logits)) over the last dimension; `labels` has the shape of `logits`.
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, const std::string& name = "");
/// -labels * log sigmoid(logits) - (1 - labels) * log(1 - sigmoid(logits)), element by element.
Tensor sigmoid_cross_entropy(const Tensor& logits, const Tensor& labels, const std::string& name = "");
/// sum(x^2) / 2, a scalar.
Tensor l2_loss(const Tensor& x, const std::string& name = "");
/// Squares errors below `delta`, halved, and grows linearly beyond, element by element.
Tensor huber_loss(const Tensor& x, const Tensor& labels, double delta = 1.0, const std::string& name = "");

}  // namespace belfry
