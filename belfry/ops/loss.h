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
/// As above, the first term times `positive_weight`: above 1 it favours recall over precision.
Tensor weighted_cross_entropy_with_logits(const Tensor& logits, const Tensor& labels, double positive_weight,
                                          const std::string& name = "");
/// The mean of (x - labels)^2, and of |x - labels|, over all elements: scalars.
Tensor mean_squared_error(const Tensor& x, const Tensor& labels, const std::string& name = "");
Tensor absolute_difference(const Tensor& x, const Tensor& labels, const std::string& name = "");
/// Peak signal to noise ratio, a scalar, in decibels: 10 log10(max_value^2 / mean((x - labels)^2)).
Tensor psnr(const Tensor& x, const Tensor& labels, double max_value = 255.0, const std::string& name = "");
/// sum(x^2) / 2, a scalar.
Tensor l2_loss(const Tensor& x, const std::string& name = "");
/// Squares errors below `delta`, halved, and grows linearly beyond, element by element.
Tensor huber_loss(const Tensor& x, const Tensor& labels, double delta = 1.0, const std::string& name = "");

}  // namespace belfry
