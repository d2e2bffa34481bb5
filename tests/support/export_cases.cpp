#include "tests/support/export_cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "belfry/checkpoint/element_type.h"
#include "belfry/formats/npz.h"
#include "belfry/graph/tower.h"
#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/batch_renorm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/layer_norm.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/layers/rnn.h"
#include "belfry/layers/shapes.h"
#include "belfry/ops/ops.h"
#include "tests/support/close.h"

namespace belfry::test {
namespace {

constexpr int64_t kAny = kDynamic;
constexpr Tolerance kOtherKernels{.relative = 1e-4, .absolute = 1e-4};

std::vector<ExportCase> elementwise_cases() {
  const TensorSpec x{"x", {kAny, 3, 4}}, y{"y", {kAny, 1, 4}}, i{"i", {kAny, 4}, kInt64},
      b{"b", {kAny, 4}, kBool};
  return {
      {"arithmetic",
       {x, y},
       [](const Tensors& t) -> Tensors {
         return {t[0] + t[1],
                 t[0] - t[1],
                 t[0] * t[1],
                 t[0] / (t[1] * t[1] + 1),
                 maximum(t[0], t[1]),
                 minimum(t[0], t[1]),
                 squared_difference(t[0], t[1]),
                 add_n({t[0], t[0], t[0]})};
       }},
      {"numbers",
       {x},
       [](const Tensors& t) -> Tensors {
         return {t[0] + 2, 3 - t[0], t[0] - 1.5, t[0] * 0.5, t[0] / 4, 2 / (abs(t[0]) + 1), -t[0]};
       }},
      {"mixed_dtypes",
       {x, i},
       [](const Tensors& t) -> Tensors {
         return {expand_dims(t[1], 1) + t[0],       t[1] / 2,       t[1] + 1, t[1] * 0.5,
                 equal(expand_dims(t[1], 1), t[0]), less(t[1], 1.5)};
       }},
      {"powers",
       {x},
       [](const Tensors& t) -> Tensors {
         const Tensor p = abs(t[0]) + 0.1;
         return {pow(p, 2.5),   pow(2.0, t[0]), pow(p, t[0]), square(t[0]), sqrt(p), rsqrt(p),
                 reciprocal(p), exp(t[0]),      expm1(t[0]),  log(p),       log1p(p)};
       }},
      {"functions",
       {x},
       [](const Tensors& t) -> Tensors {
         return {abs(t[0]),        sign(t[0]), sin(t[0]),   cos(t[0]),       erf(t[0]),
                 floor(t[0]),      ceil(t[0]), round(t[0]), tan(t[0] * 0.3), asin(tanh(t[0])),
                 acos(tanh(t[0])), atan(t[0]), sinh(t[0]),  cosh(t[0])};
       }},
      {"divisions",
       {x, y, i},
       [](const Tensors& t) -> Tensors {
         const Tensor divisor = sign(t[1]) * (abs(t[1]) + 0.3);
         return {floor_div(t[0], divisor),
                 floor_mod(t[0], divisor),
                 floor_mod(3 * t[2] - 4, t[2] + 1),
                 floor_div(3 * t[2] - 4, -2),
                 call("aten::div.Tensor_mode", {3 * t[2] - 4, t[2] + 1}, {{"rounding_mode", "trunc"}}),
                 call("aten::div.Tensor_mode", {t[0], divisor}, {{"rounding_mode", "trunc"}})};
       }},
      {"comparisons",
       {x, y},
       [](const Tensors& t) -> Tensors {
         return {equal(t[0], t[1]),
                 not_equal(t[0], t[1]),
                 less(t[0], t[1]),
                 less_equal(t[0], t[1]),
                 greater(t[0], t[1]),
                 greater_equal(t[0], 0.25),
                 where(less(t[0], t[1]), t[0], t[1]),
                 where(less(t[0], t[1]), 0.5, t[1]),
                 where(less(t[0], t[1]), t[0], 2)};
       }},
      {"logic",
       {b, i},
       [](const Tensors& t) -> Tensors {
         const Tensor c = greater(t[1], 1);
         return {logical_and(t[0], c), logical_or(t[0], c), logical_xor(t[0], c), logical_not(t[0])};
       }},
      {"finite",
       {x},
       [](const Tensors& t) -> Tensors {
         const Tensor bad = log(t[0]) / floor(abs(t[0]));
         return {is_nan(bad), is_inf(bad), is_finite(bad)};
       }},
      {"limits",
       {x},
       [](const Tensors& t) -> Tensors {
         return {clip_by_value(t[0], -0.5, 0.25), clip_by_norm(t[0], 0.5), global_norm({t[0], t[0]}),
                 clip_by_global_norm({t[0]}, 0.5).first[0]};
       }},
      {"casts",
       {x, i, b},
       [](const Tensors& t) -> Tensors {
         return {cast(t[0], kFloat64), cast(t[0] * 3, kInt32), cast(t[1], kFloat32), cast(t[2], kFloat32),
                 cast(t[1], kBool),    identity(t[0]),         stop_gradient(t[0])};
       }},
      {"activations",
       {x},
       [](const Tensors& t) -> Tensors {
         const Tensor alpha = get_variable("alpha", {4});
         return {relu(t[0]),
                 relu6(t[0] * 5),
                 sigmoid(t[0]),
                 tanh(t[0]),
                 gelu(t[0]),
                 gelu_tanh(t[0]),
                 silu(t[0]),
                 elu(t[0]),
                 selu(t[0]),
                 hardswish(t[0]),
                 softplus(t[0]),
                 softsign(t[0]),
                 log_sigmoid(t[0]),
                 leaky_relu(t[0]),
                 prelu(t[0], alpha),
                 PReLU("prelu", t[0]),
                 call("aten::elu", {t[0]}, {{"alpha", 1.5}, {"scale", 0.7}})};
       }},
      {"softmaxes",
       {x},
       [](const Tensors& t) -> Tensors {
         return {softmax(t[0]), softmax(t[0], 1), log_softmax(t[0]), l2_normalize(t[0], 1)};
       }},
  };
}

std::vector<ExportCase> array_cases() {
  const TensorSpec x{"x", {kAny, 3, 4}}, i{"i", {kAny, 2}, kInt64}, m{"m", {kAny}, kBool},
      w{"w", {kAny, kAny, 4}};
  return {
      {"shapes",
       {x},
       [](const Tensors& t) -> Tensors {
         return {reshape(t[0], {-1, 12}),
                 reshape(t[0], {-1, 2, 6}),
                 batch_flatten(t[0]),
                 expand_dims(t[0], 1),
                 expand_dims(t[0], -1),
                 squeeze(expand_dims(t[0], 2), {2}),
                 shape(t[0]),
                 size(t[0]),
                 reshape(t[0], shape(expand_dims(t[0], 1)))};
       }},
      {"dynamic_shapes",
       {w},
       [](const Tensors& t) -> Tensors {
         return {batch_flatten(t[0]), call("aten::flatten.using_ints", {t[0]}, {{"end_dim", 1}}),
                 reshape(t[0], shape(transpose(t[0], {1, 0, 2})))};
       }},
      {"transpositions",
       {x},
       [](const Tensors& t) -> Tensors {
         const Tensor twice = transpose(transpose(t[0], {2, 0, 1}), {1, 2, 0});
         return {transpose(t[0], {1, 0, 2}), twice, relu(transpose(t[0], {2, 1, 0})) + 1};
       }},
      {"repetitions",
       {x},
       [](const Tensors& t) -> Tensors {
         return {tile(t[0], {2, 1, 3}),
                 broadcast_to(expand_dims(t[0], 1), {-1, 5, 3, 4}),
                 zeros_like(t[0]),
                 call("aten::expand_as", {reshape(t[0], {-1, 1, 3, 4}), expand_dims(t[0], 1)}),
                 ones_like(t[0]),
                 range(call("aten::select.int", {shape(t[0])}, {{"dim", 0}, {"index", 0}}))};
       }},
      {"joins",
       {x},
       [](const Tensors& t) -> Tensors {
         return {concat({t[0], t[0] * 2}, 0), concat({t[0], t[0]}, -1), stack({t[0], t[0]}, 1)};
       }},
      {"parts",
       {x},
       [](const Tensors& t) -> Tensors {
         const auto halves = split(t[0], 2, 2), sized = split(t[0], {1, 2}, 1), rows = unstack(t[0], 1);
         return {halves[0], halves[1], sized[0], sized[1], rows[0], rows[2]};
       }},
      {"slices",
       {x},
       [](const Tensors& t) -> Tensors {
         return {slice(t[0], {0, 1, 0}, {-1, 2, 3}), select(t[0], 1, 1), select(t[0], -1, -1),
                 reverse(t[0], {1, 2}), boolean_mask(t[0], greater(sum(t[0], {1, 2}), -1e9))};
       }},
      {"mask", {x, m}, [](const Tensors& t) -> Tensors { return {boolean_mask(t[0], t[1])}; }},
      {"lookups",
       {x, i},
       [](const Tensors& t) -> Tensors {
         const Tensor table = get_variable("table", {5, 6});
         return {embedding_lookup(table, t[1]), gather(t[0], t[1], 1), gather(table, t[1]),
                 one_hot(t[1] - 1, 2), one_hot(t[1], 4, kInt32)};
       }},
      {"orders",
       {x, i},
       [](const Tensors& t) -> Tensors {
         return {sort(t[0], {.axis = 1}),
                 argsort(t[1], {.axis = 0, .descending = true}),
                 sort(t[1] - 1, {.axis = 0}),
                 cast(sort(cast(t[1], kUInt8)), kInt32),
                 diag(t[1]),
                 diag_part(t[0]),
                 diag_part(transpose(t[0], {2, 0, 1}))};
       }},
      {"computed_shapes",
       {x},
       [](const Tensors& t) -> Tensors {
         return {fill(shape(t[0]), 2.5), zeros({shape(t[0]), {kDynamic, 3, 4}}, kInt32), cumprod(t[0], 1),
                 cumprod(t[0], 0), select(t[0], -2, 0)};
       }},
      {"topk",
       {x},
       [](const Tensors& t) -> Tensors {
         const auto [values, indices] = topk(t[0], 2);
         const auto least = call_multi("aten::topk", {t[0]}, {{"k", 2}, {"dim", 1}, {"largest", false}});
         return {values, indices, least[0], least[1]};
       }},
      {"pads",
       {x},
       [](const Tensors& t) -> Tensors {
         return {pad(t[0], {{0, 0}, {1, 2}, {0, 1}}), pad(t[0], {{0, 0}, {1, 0}, {0, 1}}, {.value = 2.5}),
                 pad(t[0], {{0, 0}, {1, 2}, {3, 1}}, {.mode = PadMode::kReflect}),
                 pad(t[0], {{0, 0}, {1, 3}, {2, 1}}, {.mode = PadMode::kSymmetric})};
       }},
      {"constants",
       {x},
       [](const Tensors& t) -> Tensors {
         return {t[0] + range(0, 4) * 0.5, t[0] * fill({3, 1}, 2.0), constant(std::vector<double>{1.0, 2.0}),
                 identity(t[0])};
       }},
  };
}

std::vector<ExportCase> reduce_cases() {
  const TensorSpec x{"x", {kAny, 3, 4}}, i{"i", {kAny, 4}, kInt64}, b{"b", {kAny, 4}, kBool};
  return {
      {"reductions",
       {x},
       [](const Tensors& t) -> Tensors {
         return {sum(t[0]),      sum(t[0], {1}),    mean(t[0], {1, 2}), mean(t[0], -1, {.keep_dims = true}),
                 max(t[0], 1),   min(t[0], {0, 2}), prod(t[0], {1, 2}), logsumexp(t[0], {1}),
                 cumsum(t[0], 1)};
       }},
      {"whole_numbers",
       {i, b},
       [](const Tensors& t) -> Tensors {
         return {sum(t[0], 1), max(t[0], 1), any(t[1], 1), all(t[1], {0, 1}), sum(t[1], 1)};
       }},
      {"indices",
       {x},
       [](const Tensors& t) -> Tensors {
         return {argmax(t[0], 1), argmin(t[0], -1)};
       }},
      {"orders_of_norms",
       {x},
       [](const Tensors& t) -> Tensors {
         Tensors all;
         for (double order : {1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()})
           all.push_back(call("aten::linalg_vector_norm", {t[0]}, {{"ord", order}, {"dim", {0, 2}}}));
         return all;
       }},
      {"corrected_variances",
       {x},
       [](const Tensors& t) -> Tensors {
         return {
             call("aten::var.correction", {t[0]}, {{"dim", {1}}}),
             call("aten::std.correction", {t[0]}, {{"dim", {0, 2}}, {"correction", 2}, {"keepdim", true}}),
             call("aten::var.correction", {t[0]})};
       }},
      {"moments",
       {x},
       [](const Tensors& t) -> Tensors {
         const auto [mean, variance] = moments(t[0], {0, 1});
         const auto [kept, spread] = moments(t[0], {2}, {.keep_dims = true});
         return {mean, variance, kept, spread};
       }},
  };
}

std::vector<ExportCase> network_cases() {
  const TensorSpec image{"x", {kAny, 9, 8, 4}}, planes{"x", {kAny, 4, 9, 8}}, rows{"x", {kAny, 6}},
      heads{"x", {kAny, 2, kAny, 4}}, labels{"label", {kAny}, kInt64};
  return {
      {"conv2d",
       {image},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {3, 3, 4, 6}), b = get_variable("b", {6}),
                      g = get_variable("g", {3, 2, 2, 6});
         return {conv2d(t[0], w), conv2d(t[0], w, b, {.strides = 2}),
                 conv2d(t[0], w, {.strides = 2, .padding = "VALID"}),
                 conv2d(t[0], w, {.padding = "SAME", .dilations = 2}), conv2d(t[0], g, {.groups = 2})};
       }},
      {"conv2d_nchw",
       {planes},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {2, 3, 4, 6});
         return {conv2d(t[0], w, {.data_format = "NCHW"}),
                 conv2d(t[0], w, {.strides = {2, 1}, .data_format = "NCHW"})};
       }},
      {"conv2d_dynamic_size",
       {{"x", {2, kAny, kAny, 3}}},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {3, 3, 3, 5});
         const Tensor y = conv2d(t[0], w, {.strides = 2});
         return {y, max_pool2d(conv2d(t[0], w), {.pool = 3, .strides = 2, .padding = "SAME"})};
       }},
      {"depthwise",
       {image},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {3, 3, 4, 2});
         return {depthwise_conv2d(t[0], w), depthwise_conv2d(t[0], w, {.strides = 2, .padding = "VALID"})};
       }},
      {"conv2d_transpose",
       {image},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {3, 3, 5, 4}), small = get_variable("small", {2, 2, 5, 4}),
                      b = get_variable("b", {5});
         return {conv2d_transpose(t[0], w, b, {.strides = 2}),
                 conv2d_transpose(t[0], w, {.strides = 2, .padding = "VALID"}),
                 conv2d_transpose(t[0], small, {.strides = 3}), conv2d_transpose(t[0], w)};
       }},
      {"pools",
       {image},
       [](const Tensors& t) -> Tensors {
         return {max_pool2d(t[0]),
                 avg_pool2d(t[0]),
                 max_pool2d(t[0], {.pool = 3, .strides = 2, .padding = "SAME"}),
                 avg_pool2d(t[0], {.pool = 3, .strides = 2, .padding = "SAME"}),
                 avg_pool2d(t[0], {.pool = 2, .strides = 1, .padding = "SAME"}),
                 GlobalAvgPooling("gap", t[0])};
       }},
      {"dilated_strides",
       {{"x", {2, kAny, kAny, 4}}},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {3, 2, 4, 5}), d = get_variable("d", {3, 3, 4, 2});
         Tensors all;
         for (const char* padding : {"SAME", "VALID"}) {
           const Tensor x =
               std::string(padding) == "SAME" ? t[0] : pad(t[0], {{0, 0}, {3, 3}, {3, 3}, {0, 0}});
           all.push_back(conv2d(x, w, {.strides = {2, 3}, .padding = padding, .dilations = {2, 3}}));
           all.push_back(depthwise_conv2d(x, d, {.padding = padding, .dilations = 2}));
           all.push_back(depthwise_conv2d(x, d, {.strides = {1, 2}, .padding = padding}));
           all.push_back(depthwise_conv2d(x, d, {.strides = 3, .padding = padding, .dilations = {2, 1}}));
         }
         return all;
       }},
      {"layers",
       {image},
       [](const Tensors& t) -> Tensors {
         return {Conv2DTranspose("up", t[0], {.filters = 3, .kernel = 3, .strides = 2}),
                 AvgPooling("avg", t[0], {.pool = Size2D(3, 2), .strides = 2, .padding = "same"}),
                 LayerNorm("ln", t[0]),
                 LayerNorm("ln_rows", GlobalAvgPooling("gap", t[0])),
                 InstanceNorm("in", t[0]),
                 GroupNorm("gn", t[0], {.groups = 2}),
                 BatchRenorm("renorm", t[0], {.rmax = 2, .dmax = 1}),
                 FixedUnPooling("unpool", t[0], {.shape = Size2D(2, 3)}),
                 Maxout(t[0], {.units = 2}),
                 BNReLU(t[0]),
                 Dropout(t[0], {.rate = 0.5})};
       }},
      {"batch_statistics",
       {image, {"rows", {kAny, 5}}},
       [](const Tensors& t) -> Tensors {
         const Tensor scale = get_variable("scale", {4}), offset = get_variable("offset", {4});
         const auto all = batch_norm_training(t[0], scale, offset, {.unbiased_variance = true});
         const auto rows = batch_norm_training(t[1], {}, {});
         return {all.y, all.mean, all.variance, rows.y, rows.mean, rows.variance};
       }},
      {"resize",
       {image},
       [](const Tensors& t) -> Tensors {
         return {resize(t[0], {18, 13}), resize(t[0], {5, 4}, {.method = ResizeMethod::kNearest}),
                 resize(t[0], {12, 11}, {.align_corners = true})};
       }},
      {"norms",
       {image},
       [](const Tensors& t) -> Tensors {
         const Tensor scale = get_variable("scale", {4}), offset = get_variable("offset", {4});
         return {BatchNorm("bn", t[0]), layer_norm(t[0], scale, offset), layer_norm(t[0], {}, {}),
                 group_norm(t[0], scale, offset, {.groups = 2}), bias_add(t[0], offset)};
       }},
      {"norms_nchw",
       {planes},
       [](const Tensors& t) -> Tensors {
         const Tensor scale = get_variable("scale", {4}), offset = get_variable("offset", {4});
         const Tensor mean = get_variable("mean", {4}), variance = get_variable("variance", {4});
         return {batch_norm(t[0], mean, variance, scale, offset, {.data_format = "NCHW"}),
                 batch_norm(t[0], mean, variance, {}, {}, {.data_format = "NCHW"}),
                 group_norm(t[0], {}, {}, {.groups = 2, .data_format = "NCHW"}),
                 bias_add(t[0], offset, "NCHW")};
       }},
      {"products",
       {rows},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {6, 5});
         return {matmul(t[0], w), FullyConnected("fc", t[0], {.units = 3, .activation = Activation(relu)}),
                 einsum("ni,ij->nj", {t[0], w}), matmul(t[0], t[0], {.transpose_b = true})};
       }},
      {"vectors",
       {{"x", {kAny, 2, 3}}, {"v", {3}}},
       [](const Tensors& t) -> Tensors {
         const Tensor w = get_variable("w", {2});
         return {matmul(t[0], t[1]), matmul(w, t[0]), matmul(t[1], t[1]),
                 matmul(t[1], reshape(t[0], {3, -1}))};
       }},
      {"reductions of a scalar",
       {rows},
       [](const Tensors& t) -> Tensors {
         const Tensor x = mean(t[0]);
         return {max(x, -1) + x, sum(x, 0) + x, logsumexp(x, 0), norm(x, -1, {.keep_dims = true})};
       }},
      {"attention",
       {heads},
       [](const Tensors& t) -> Tensors {
         const Tensor mask = zeros({1, 1, 1}) - 1;
         const Tensor sees = slice(t[0], {0, 0, 0, 0}, {-1, -1, -1, 1}) < 0.2;  // some rows see nothing
         const Tensor hides = log(cast(sees, kFloat32));
         return {scaled_dot_product_attention(t[0], t[0] * 2, t[0] + 1),
                 scaled_dot_product_attention(t[0], t[0] * 2, t[0], {.is_causal = true}),
                 scaled_dot_product_attention(t[0], t[0], t[0], {.mask = sees}),
                 scaled_dot_product_attention(t[0], t[0], t[0], {.mask = hides}),
                 scaled_dot_product_attention(t[0], t[0], t[0], {.mask = mask, .scale = 0.3})};
       }},
      {"losses",
       {rows, labels},
       [](const Tensors& t) -> Tensors {
         return {sparse_softmax_cross_entropy(t[0], t[1]),
                 softmax_cross_entropy(t[0], softmax(t[0] * 2)),
                 sigmoid_cross_entropy(t[0], sigmoid(t[0] * 2)),
                 l2_loss(t[0]),
                 huber_loss(t[0], t[0] * t[0]),
                 weighted_cross_entropy_with_logits(t[0], sigmoid(t[0]), 3),
                 mean_squared_error(t[0], t[0] * 2),
                 absolute_difference(t[0], t[0] * 2),
                 call("aten::mse_loss", {t[0], t[0] * 2}, {{"reduction", 2}}),
                 call("aten::huber_loss", {t[0], t[0] * 2}, {{"reduction", 1}, {"delta", 1.5}}),
                 in_top_k(t[0], t[1], 2),
                 not_in_top_k(t[0], t[1], 2)};
       }},
      {"recurrent",
       {{"x", {kAny, 4, 3}}, {"n", {kAny}, kInt64}},
       [](const Tensors& t) -> Tensors {
         const Tensor n = t[1] + 1;
         const RnnOutputs plain = dynamic_rnn(MultiRNNCell({BasicLSTMCell(3), GRUCell(2)}), t[0]);
         const auto both = bidirectional_dynamic_rnn(LSTMCell(3), LSTMCell(2), t[0], {.sequence_length = n});
         const auto simple = dynamic_rnn(BasicRNNCell(2), t[0], {.sequence_length = n, .scope = "simple"});
         Tensors all = {plain.outputs, both.forward, both.backward, simple.outputs};
         for (const RnnState& state : {plain.state, both.state_forward, both.state_backward, simple.state})
           all.insert(all.end(), state.begin(), state.end());
         return all;
       }},
      {"residual_net",
       {image},
       [](const Tensors& t) -> Tensors {
         const Conv2DOptions conv{.filters = 6, .kernel = 3};
         Tensor x = Conv2D("stem", t[0], {.filters = 6, .kernel = 3, .strides = 2, .activation = BNReLU});
         const Tensor y = relu(BatchNorm("bn_a", Conv2D("a", x, conv)));
         x = relu(x + BatchNorm("bn_b", Conv2D("b", y, conv)));
         x = concat({x, MaxPooling("pool", x, {.pool = 3, .strides = 1, .padding = "same"})}, 3);
         x = GlobalAvgPooling("gap", PReLU("prelu", pad(x, {{0, 0}, {1, 1}, {1, 1}, {0, 0}})));
         return {softmax(FullyConnected("fc", x, {.units = 10}), -1, "prob")};
       }},
  };
}

}  // namespace

std::vector<ExportCase> export_cases() {
  std::vector<ExportCase> all;
  for (const auto& cases : {elementwise_cases(), array_cases(), reduce_cases(), network_cases()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

BuiltCase::BuiltCase(const ExportCase& source) : session(graph), specs_(source.inputs) {
  graph.set_seed(7);
  GraphScope as_default(graph);
  TowerContext tower("", {.is_training = false});
  Tensors tensors;
  for (const TensorSpec& spec : specs_) tensors.push_back(placeholder(spec.name, spec.shape, spec.dtype));
  const Tensors results = source.build(tensors);
  inputs.assign(tensors.begin(), tensors.end());
  outputs.assign(results.begin(), results.end());
  session.initialize_variables();
  for (const Variable& variable : variables_in(graph, kGlobalVariables)) {
    at::Tensor value = at::randn(variable.shape()) * 0.3;
    if (variable.name().find("variance") != std::string::npos) value = value.abs() + 0.5;
    session.set_value(variable, value);
  }
}

std::vector<at::Tensor> BuiltCase::random_inputs(int64_t dynamic) const {
  std::vector<at::Tensor> values;
  for (const TensorSpec& spec : specs_) {
    Shape shape = spec.shape;
    std::replace(shape.begin(), shape.end(), kDynamic, dynamic);
    values.push_back(c10::isFloatingType(spec.dtype) ? at::randn(shape).to(spec.dtype)
                                                     : at::randint(0, 3, shape).to(spec.dtype));
  }
  return values;
}

void BuiltCase::save_inputs(const std::string& path, const std::vector<at::Tensor>& values) const {
  NpzWriter writer(path);
  for (size_t i = 0; i < values.size(); ++i) {
    const at::Tensor value = values[i].contiguous();
    writer.add(specs_[i].name, to_stored(value.scalar_type(), path), value.sizes().vec(),
               {static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
  }
  writer.finish();
}

void BuiltCase::save_output_names(const std::string& path) const {
  std::ofstream file(path);
  for (const Fetch& output : outputs) file << node_name(public_name(output.resolve(graph))) << "\n";
}

void expect_results(const std::string& path, const std::vector<at::Tensor>& expected) {
  ASSERT_TRUE(std::filesystem::exists(path)) << path;
  NpzReader reader(path);
  ASSERT_EQ(reader.entries().size(), expected.size());
  for (const ArrayInfo& info : reader.entries()) {
    SCOPED_TRACE(path + ", output " + info.name);
    const at::Tensor& wanted = expected.at(static_cast<size_t>(std::stoi(info.name)));
    at::Tensor value = at::empty(info.shape, to_dtype(info.dtype));
    reader.read(info.name, {static_cast<std::byte*>(value.data_ptr()), value.nbytes()});
    EXPECT_EQ(value.scalar_type(), wanted.scalar_type());
    EXPECT_TRUE(close(value.to(at::kDouble), wanted.to(at::kDouble), kOtherKernels));
  }
}

}  // namespace belfry::test
