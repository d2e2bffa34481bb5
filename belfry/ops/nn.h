#pragma once

#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

// Activations. Those of one tensor can be passed as they are where a layer takes an activation.

Tensor relu(const Tensor& x, const std::string& name = "");
Tensor relu6(const Tensor& x, const std::string& name = "");
Tensor sigmoid(const Tensor& x, const std::string& name = "");
Tensor tanh(const Tensor& x, const std::string& name = "");
/// x * Phi(x), exact.
Tensor gelu(const Tensor& x, const std::string& name = "");
/// The approximation of gelu by tanh.
Tensor gelu_tanh(const Tensor& x, const std::string& name = "");
/// x * sigmoid(x), also called swish.
Tensor silu(const Tensor& x, const std::string& name = "");
Tensor elu(const Tensor& x, const std::string& name = "");
Tensor selu(const Tensor& x, const std::string& name = "");
Tensor hardswish(const Tensor& x, const std::string& name = "");
Tensor softplus(const Tensor& x, const std::string& name = "");
/// x / (1 + |x|)
Tensor softsign(const Tensor& x, const std::string& name = "");
Tensor log_sigmoid(const Tensor& x, const std::string& name = "");
Tensor leaky_relu(const Tensor& x, double alpha = 0.2, const std::string& name = "");
/// max(x, 0) + alpha * min(x, 0); `alpha` broadcasts. The gradient at 0 is 0, as Keras' PReLU has it.
Tensor prelu(const Tensor& x, const Tensor& alpha, const std::string& name = "");

Tensor softmax(const Tensor& x, int64_t axis = -1, const std::string& name = "");
Tensor log_softmax(const Tensor& x, int64_t axis = -1, const std::string& name = "");
/// x / sqrt(max(sum(x^2), epsilon)), the sum over `axis`.
Tensor l2_normalize(const Tensor& x, int64_t axis, double epsilon = 1e-12, const std::string& name = "");

// Images. `data_format` is "NHWC" or "NCHW", the order of the dimensions of inputs and outputs. NHWC runs on
// channels-last kernels: neither the data nor the result is ever converted.

/// Height and width: `3` or `{3, 5}`.
struct Size2D {
  Size2D(int64_t both) : height(both), width(both) {}
  Size2D(int64_t height, int64_t width) : height(height), width(width) {}
  friend bool operator==(const Size2D&, const Size2D&) = default;

  int64_t height;
  int64_t width;
};

/// A Size2D or nothing. `{3, 5}` can be written for it, which a std::optional would not take.
class OptionalSize2D : public std::optional<Size2D> {
 public:
  using std::optional<Size2D>::optional;
  OptionalSize2D() = default;
  OptionalSize2D(const std::optional<Size2D>& size) : std::optional<Size2D>(size) {}
  OptionalSize2D(int64_t height, int64_t width) : std::optional<Size2D>(Size2D(height, width)) {}
};

struct ConvAttributes {
  Size2D strides = 1;
  /// "VALID" adds nothing; "SAME" adds zeros so that the output has ceil(size / stride) rows and columns, the
  /// odd one below and at the right, as TensorFlow does.
  std::string padding = "SAME";
  Size2D dilations = 1;
  /// Input channels are cut into that many groups, each with its own output channels.
  int64_t groups = 1;
  std::string data_format = "NHWC";
};

/// `filter`: [height, width, channels / groups, out channels]. `bias`, [out channels], may be none. A filter
/// whose memory holds the dimensions in the order {3, 0, 1, 2} is used without a copy.
Tensor conv2d(const Tensor& input, const Tensor& filter, const ConvAttributes& attributes = {},
              const std::string& name = "");
Tensor conv2d(const Tensor& input, const Tensor& filter, const Tensor& bias,
              const ConvAttributes& attributes = {}, const std::string& name = "");

/// `filter`: [height, width, channels, multiplier]; output channel c * multiplier + m is made of channel c.
/// `attributes.groups` must be 1.
Tensor depthwise_conv2d(const Tensor& input, const Tensor& filter, const ConvAttributes& attributes = {},
                        const std::string& name = "");

/// depthwise_conv2d by `depthwise_filter` [height, width, channels, multiplier], then a convolution of single
/// pixels by `pointwise_filter` [1, 1, channels * multiplier, out channels].
Tensor separable_conv2d(const Tensor& input, const Tensor& depthwise_filter, const Tensor& pointwise_filter,
                        const ConvAttributes& attributes = {}, const std::string& name = "");

struct Conv1DAttributes {
  int64_t stride = 1;
  std::string padding = "SAME";
  int64_t dilation = 1;
};
/// Of an input [N, width, channels] by `filter` [width, channels, out channels].
Tensor conv1d(const Tensor& input, const Tensor& filter, const Conv1DAttributes& attributes = {},
              const std::string& name = "");

struct ConvTransposeAttributes {
  Size2D strides = 1;
  /// "SAME": the output is `strides` times the input; "VALID": (size - 1) * stride + kernel, or more for a
  /// stride larger than the kernel, as in TensorFlow's layer.
  std::string padding = "SAME";
  std::string data_format = "NHWC";
};

/// The gradient of conv2d with respect to its input. `filter`: [height, width, out channels, channels].
Tensor conv2d_transpose(const Tensor& input, const Tensor& filter,
                        const ConvTransposeAttributes& attributes = {}, const std::string& name = "");
Tensor conv2d_transpose(const Tensor& input, const Tensor& filter, const Tensor& bias,
                        const ConvTransposeAttributes& attributes = {}, const std::string& name = "");

struct PoolAttributes {
  Size2D pool = 2;
  OptionalSize2D strides = {};  ///< default: as `pool`
  std::string padding = "VALID";
  std::string data_format = "NHWC";
};

/// Padding never wins.
Tensor max_pool2d(const Tensor& x, const PoolAttributes& attributes = {}, const std::string& name = "");
/// Padding is not counted.
Tensor avg_pool2d(const Tensor& x, const PoolAttributes& attributes = {}, const std::string& name = "");

enum class ResizeMethod { kNearest, kBilinear, kBicubic };
struct ResizeAttributes {
  ResizeMethod method = ResizeMethod::kBilinear;
  /// Corner elements of input and output meet; else edges do.
  bool align_corners = false;
  /// Where no corners meet: pixels are areas, sampled in their middle, as TensorFlow's second version does.
  /// false: in the corner where the image begins, as the first did.
  bool half_pixel_centers = true;
  std::string data_format = "NHWC";
};
/// Bicubic is Keys' with a = -0.5, and weights of what is outside shared among the rest, for half-pixel
/// centres; else with a = -0.75 and borders repeated: what TensorFlow does. Of uint8 it rounds.
Tensor resize(const Tensor& x, Size2D size, const ResizeAttributes& attributes = {},
              const std::string& name = "");
/// As above, with `size` an integer tensor [2], height and width, computed in the graph: of another image by
/// `slice(shape(y), {1}, {2})`.
Tensor resize(const Tensor& x, const Tensor& size, const ResizeAttributes& attributes = {},
              const std::string& name = "");

/// Moves blocks of `block` x `block` pixels into the channels, and back. Channels of one pixel of a block
/// stay together, in the order of the pixels: [N, H, W, C] to [N, H / block, W / block, block * block * C].
/// `block` is at least 2, as in TensorFlow.
Tensor space_to_depth(const Tensor& x, int64_t block, const std::string& data_format = "NHWC",
                      const std::string& name = "");
Tensor depth_to_space(const Tensor& x, int64_t block, const std::string& data_format = "NHWC",
                      const std::string& name = "");

/// Adds `bias` [C] along the channels of `x`, of any rank from 2 on.
Tensor bias_add(const Tensor& x, const Tensor& bias, const std::string& data_format = "NHWC",
                const std::string& name = "");

// Normalisation and regularisation.

struct BatchNormAttributes {
  double epsilon = 1e-5;
  /// Of 4-D inputs; 2-D inputs are [N, C].
  std::string data_format = "NHWC";
  /// Multiplies `variance` of the training form by n / (n - 1), as TensorFlow's fused operator does (its
  /// other forms do not).
  bool unbiased_variance = false;
};
struct BatchNormOutputs {
  Tensor y;
  Tensor mean;      ///< of the batch; no gradient flows through it
  Tensor variance;  ///< as `mean`
};

/// Normalises with the statistics of the batch. `scale` and `offset`, [C], may be none.
BatchNormOutputs batch_norm_training(const Tensor& x, const Tensor& scale, const Tensor& offset,
                                     const BatchNormAttributes& attributes = {},
                                     const std::string& name = "");
/// Normalises with given statistics [C].
Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& scale,
                  const Tensor& offset, const BatchNormAttributes& attributes = {},
                  const std::string& name = "");
/// Normalises the last `scale.rank()` dimensions, or the last one when both `scale` and `offset` are none.
Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, double epsilon = 1e-5,
                  const std::string& name = "");

struct GroupNormAttributes {
  int64_t groups = 32;
  double epsilon = 1e-5;
  std::string data_format = "NHWC";
};
/// Normalises each of `groups` groups of channels of each sample. `scale` and `offset`, [C], may be none.
Tensor group_norm(const Tensor& x, const Tensor& scale, const Tensor& offset,
                  const GroupNormAttributes& attributes = {}, const std::string& name = "");

struct LocalResponseAttributes {
  int64_t depth_radius = 5;
  double bias = 1;
  double alpha = 1;
  double beta = 0.5;
};
/// x / (bias + alpha * sum(x^2))^beta, the sum over the channels (the last dimension) from `depth_radius`
/// before to `depth_radius` after each.
Tensor local_response_normalization(const Tensor& x, const LocalResponseAttributes& attributes = {},
                                    const std::string& name = "");

struct DropoutAttributes {
  std::optional<int64_t> seed = {};
  /// Sizes of the random mask, 1 where all elements share it; empty: those of `x`.
  Shape noise_shape = {};
};
/// Sets elements to zero with probability `rate` and multiplies the others by 1 / (1 - rate). Does so at
/// every run: the layer Dropout asks whether the tower trains.
Tensor dropout(const Tensor& x, double rate, const DropoutAttributes& attributes = {},
               const std::string& name = "");

// Attention and ranking.

struct AttentionAttributes {
  Tensor mask = {};  ///< bool (true: may look) or added to the scores; broadcasts to [..., T, S]; may be none
  bool is_causal = false;
  std::optional<double> scale = {};  ///< default: 1 / sqrt(head size)
};
/// softmax(query key^T * scale + mask) value over [..., heads, time, head size].
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionAttributes& attributes = {}, const std::string& name = "");

/// Whether the score of `labels` [N] is among the `k` largest of `predictions` [N, C], ties included: bool
/// [N]. False for a label out of range, and where any score of the row is not finite.
Tensor in_top_k(const Tensor& predictions, const Tensor& labels, int64_t k, const std::string& name = "");
/// The opposite, as float32 [N]: its mean is the top-k error.
Tensor not_in_top_k(const Tensor& predictions, const Tensor& labels, int64_t k, const std::string& name = "");
/// As the two above, with `k` an integer scalar computed in the graph.
Tensor in_top_k(const Tensor& predictions, const Tensor& labels, const Tensor& k,
                const std::string& name = "");
Tensor not_in_top_k(const Tensor& predictions, const Tensor& labels, const Tensor& k,
                    const std::string& name = "");

}  // namespace belfry
