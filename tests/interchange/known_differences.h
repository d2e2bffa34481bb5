#pragma once

#include <vector>

namespace belfry::test {

/// Where an export's results differ from the session's for a reason that no other formula would change, or
/// none at little cost. One that never differs can go.
struct Known {
  const char* runtimes;  ///< "ONNX Runtime", "TensorFlow", "Belfry": regular expressions, as are the next two
  const char* functions;
  const char* kinds;
  const char* reason;
  bool dies = false;  ///< ends the process, and so is not run
};
inline const std::vector<Known> kKnown = {
    // The session's own.
    {".*", "gelu", "[+]?-?inf", "oneDNN's kernel makes NaN of infinity"},
    {".*", "moments", "(all )?-?inf", "ATen updates the mean by differences, and these are NaN"},
    {".*", "scaled_dot_product_attention", "NaN|-inf", "ATen's kernel makes numbers of scores that are NaN"},
    {".*", "stddev|moments|batch_norm_training|scaled_dot_product_attention", "largest",
     "ATen sums in float64"},
    {".*", "softsign|l2_loss|l2_normalize|local_response_normalization", "ends",
     "the session computes with integers, which overflow"},
    {"ONNX Runtime|TensorFlow", "cumsum", "largest", "ATen sums in float64"},
    // ONNX Runtime's own.
    {"ONNX Runtime", "topk|sort|argsort|einsum|tensordot", "size 0", "divides by the size of the batch",
     /*dies=*/true},
    {"ONNX Runtime", "max|conv2d_transpose", "size 0", "refuses inputs without elements"},
    {"ONNX Runtime", "mean|variance|stddev|moments|mean_squared_error|absolute_difference|psnr", "size 0",
     "the mean of nothing is 0"},
    {"ONNX Runtime", "argmax|softmax_cross_entropy|(not_)?in_top_k", "size 0",
     "keeps the axis of a batch of 0"},
    {"ONNX Runtime", "erf", "(all )?NaN", "its kernel limits the result to 1 by a comparison"},
    {"ONNX Runtime", "r?sqrt", "[+]?-?inf", "multiplies infinity by its inverse root, 0"},
    {"ONNX Runtime", "log|rsqrt", "denormal", "takes the least normal number instead"},
    {"ONNX Runtime", "max|min|argmax|argmin|topk|sort|argsort|max_pool2d", "(all )?NaN",
     "compares, and no comparison with NaN holds"},
    {"ONNX Runtime", "logsumexp", "[+]?-?inf|all -inf", "over all axes, takes off the infinite maximum"},
    {"ONNX Runtime", "local_response_normalization", "NaN|[+]?-?inf",
     "moves the window by adding and taking off"},
    {"ONNX Runtime", "resize", "[+]?-?inf|all -inf", "weights of 0 are left out"},
    {"ONNX Runtime", "layer_norm|avg_pool2d|conv2d.*|local_response_normalization|resize", "largest",
     "sums in another order, and overflows"},
    {"ONNX Runtime", "lstm|gru", "(all )?NaN|[+]?-?inf|all -inf|largest",
     "its activations make numbers of NaN"},
    {"ONNX Runtime", "resize", "size 33", "TensorFlow's bicubic weights come from a table of 1024 places"},
    {"ONNX Runtime|TensorFlow", "lstm", "size 0", "have no recurrence without steps", /*dies=*/true},
    // TensorFlow's own.
    {"TensorFlow",
     "log|rsqrt|sign|floor|ceil|divide|(not_)?equal|less.*|greater.*|operator(/|/"
     "=|<|<=|>|>=)|atan2|floor_.*|argmax|argmin|topk",
     "denormal", "denormal numbers are 0"},
    {"TensorFlow", "argmax|argmin|topk|sort|argsort|max_pool2d", "(all )?NaN",
     "compares, and no comparison with NaN holds"},
    {"TensorFlow", "softmax", "NaN|[+]?-?inf", "NaN is not that of the whole row"},
    {"TensorFlow", "local_response_normalization", "NaN|[+]?-?inf",
     "adds infinities times 0, outside the window"},
    {"TensorFlow", "resize", "NaN|[+]?-?inf|all -inf", "weights of 0 are left out"},
    {"TensorFlow", "lstm", "-?inf", "its block of gates subtracts infinities"},
    {"TensorFlow", "lstm|gru", "largest", "sums in another order, and overflows"},
    {"TensorFlow", "operator[+]=|operator-=", "largest", "the optimizer adds the numbers first"},
    {"TensorFlow", "layer_norm|local_response_normalization|resize", "largest",
     "sums in another order, and overflows"},
};

}  // namespace belfry::test
