
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "belfry/export/internal/graph_def_builder.h"

// TensorFlow's kernels for the CPU know NHWC alone.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// An elementwise operator of tensors of the dtype of the result.
TfName apply(TfCall& call, const std::string& op, const TfNames& inputs) {
  return call.out.add(op, inputs, call.dtype());
}
TfName number(TfCall& call, double value) {
  return call.out.constant(value, call.dtype());
}

TfNames gelu(TfCall& call) {
  const TfName x = call.value("self");
  TfName inner;
  if (call.text("approximate") == "tanh") {
    const TfName cube = apply(call, "Mul", {apply(call, "Mul", {x, x}), x});
    const TfName sum = apply(call, "AddV2", {x, apply(call, "Mul", {cube, number(call, 0.044715)})});
    inner = apply(call, "Tanh", {apply(call, "Mul", {sum, number(call, std::sqrt(2 / std::numbers::pi))})});
  } else {
    inner = apply(call, "Erf", {apply(call, "Mul", {x, number(call, std::numbers::sqrt2 / 2)})});
  }
  const TfName half = apply(call, "Mul", {x, number(call, 0.5)});
  return {apply(call, "Mul", {half, apply(call, "AddV2", {inner, number(call, 1)})})};
}

/// Softmax and LogSoftmax, which TensorFlow has along the last dimension.
void add_softmax(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    const int64_t rank = call.rank("self"), axis = call.axis("dim", rank);
    Ints swap(static_cast<size_t>(rank));
    std::iota(swap.begin(), swap.end(), 0);
    std::swap(swap[static_cast<size_t>(axis)], swap.back());
    const DType dtype = call.dtype();
    const TfName x = call.out.transpose(call.value("self", dtype), dtype, swap);
    return {call.out.transpose(call.out.add(tf, {x}, dtype), dtype, swap)};
  };
}

void add_activations(TfOps& ops) {
  for (const auto& [aten, tf] :
       {std::pair("relu", "Relu"), std::pair("relu6", "Relu6"), std::pair("sigmoid", "Sigmoid"),
        std::pair("tanh", "Tanh"), std::pair("selu", "Selu")}) {
    ops[std::string("aten::") + aten] = [tf = std::string(tf)](TfCall& call) -> TfNames {
      return {apply(call, tf, {call.value("self", call.dtype())})};
    };
  }
  ops["aten::gelu"] = gelu;
  ops["aten::silu"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("self");
    return {apply(call, "Mul", {x, apply(call, "Sigmoid", {x})})};
  };
  ops["aten::hardswish"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("self");
    const TfName gate = apply(call, "Relu6", {apply(call, "AddV2", {x, number(call, 3)})});
    return {apply(call, "Mul", {x, apply(call, "Mul", {gate, number(call, 1.0 / 6)})})};
  };
  ops["aten::elu"] = [](TfCall& call) -> TfNames {
    if (call.number("alpha") != 1 || call.number("scale") != 1 || call.number("input_scale") != 1)
      call.unsupported("an elu with scales");
    return {apply(call, "Elu", {call.value("self")})};
  };
  ops["aten::leaky_relu"] = [](TfCall& call) -> TfNames {
    return {call.out.add("LeakyRelu", {call.value("self")}, call.dtype(),
                         {{"alpha", static_cast<float>(call.number("negative_slope"))}})};
  };
  ops["aten::softplus"] = [](TfCall& call) -> TfNames {
    const double beta = call.number("beta");
    const TfName x = call.value("self");
    if (beta == 1) return {apply(call, "Softplus", {x})};
    const TfName y = apply(call, "Softplus", {apply(call, "Mul", {x, number(call, beta)})});
    return {apply(call, "Mul", {y, number(call, 1 / beta)})};
  };
  ops["belfry::softsign"] = [](TfCall& call) -> TfNames {
    return {apply(call, "Softsign", {call.value("x", call.dtype())})};
  };
  ops["aten::log_sigmoid"] = [](TfCall& call) -> TfNames {
    return {apply(call, "Neg", {apply(call, "Softplus", {apply(call, "Neg", {call.value("self")})})})};
  };
  ops["belfry::prelu"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("x", call.dtype());
    const TfName below = apply(call, "Minimum", {x, number(call, 0)});
    const TfName scaled = apply(call, "Mul", {call.value("alpha", call.dtype()), below});
    return {apply(call, "AddV2", {apply(call, "Relu", {x}), scaled})};
  };
  add_softmax(ops, "aten::softmax.int", "Softmax");
  add_softmax(ops, "aten::log_softmax.int", "LogSoftmax");
}

void add_products(TfOps& ops) {
  const auto product = [](const char* left, const char* right) {
    return [left, right](TfCall& call) -> TfNames {
      const int64_t a = call.rank(left), b = call.rank(right);
      if (a < 2 || b < 2) call.unsupported("a product with a vector");
      return {
          apply(call, a == 2 && b == 2 ? "MatMul" : "BatchMatMulV2", {call.value(left), call.value(right)})};
    };
  };
  ops["aten::matmul"] = product("self", "other");
  ops["aten::mm"] = ops["aten::bmm"] = product("self", "mat2");
  ops["aten::addmm"] = [](TfCall& call) -> TfNames {
    if (call.number("alpha") != 1 || call.number("beta") != 1) call.unsupported("an addmm with factors");
    const TfName y = apply(call, "MatMul", {call.value("mat1"), call.value("mat2")});
    return {apply(call, "AddV2", {y, call.value("self")})};
  };
  ops["aten::linear"] = [](TfCall& call) -> TfNames {
    const TfName weight = call.out.transpose(call.value("weight"), call.dtype(), {1, 0});
    const TfName y =
        apply(call, call.rank("input") == 2 ? "MatMul" : "BatchMatMulV2", {call.value("input"), weight});
    return {call.tensor("bias").defined() ? apply(call, "AddV2", {y, call.value("bias")}) : y};
  };
  ops["aten::einsum"] = [](TfCall& call) -> TfNames {
    TfNames inputs;
    for (const Tensor& tensor : call.tensors("tensors")) inputs.push_back(call.value(tensor, call.dtype()));
    return {call.out.add("Einsum", inputs, call.dtype(),
                         {{"N", static_cast<int64_t>(inputs.size())}, {"equation", call.text("equation")}})};
  };
}

bool is_nchw(const TfCall& call) {
  return call.text("data_format") == "NCHW";
}
TfName as_nhwc(TfCall& call, const char* argument) {
  const TfName x = call.value(argument);
  return is_nchw(call) ? call.out.transpose(x, call.dtype(), {0, 2, 3, 1}) : x;
}
TfName from_nhwc(TfCall& call, const TfName& y) {
  return is_nchw(call) ? call.out.transpose(y, call.dtype(), {0, 3, 1, 2}) : y;
}
/// Numbers for height and width as an attribute of NHWC tensors.
Ints around(const Ints& two) {
  return {1, two[0], two[1], 1};
}

TfName convolve(TfCall& call, const std::string& op, const TfName& filter) {
  Ints strides = around(call.integers("strides"));
  return call.out.add(op, {as_nhwc(call, "input"), filter}, call.dtype(),
                      {{"strides", strides},
                       {"padding", call.text("padding")},
                       {"dilations", around(call.integers("dilations"))}});
}

TfName add_bias(TfCall& call, const TfName& y) {
  return call.tensor("bias").defined() ? apply(call, "BiasAdd", {y, call.value("bias")}) : y;
}

TfNames depthwise_conv2d(TfCall& call) {
  if (call.integers("dilations") != Ints{1, 1}) call.unsupported("a dilated depthwise convolution");
  if (call.integers("strides")[0] != call.integers("strides")[1])
    call.unsupported("a depthwise convolution with two different strides");
  return {from_nhwc(call, convolve(call, "DepthwiseConv2dNative", call.value("filter")))};
}

TfNames conv2d_transpose(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const Shape& filter = call.shape("filter");
  const Ints strides = call.integers("strides");
  if (filter[0] == kDynamic || filter[1] == kDynamic || filter[2] == kDynamic)
    call.unsupported("a filter of dynamic sizes");
  const bool same = call.text("padding") == "SAME";
  const auto added = [&](size_t i) { return same ? 0 : std::max<int64_t>(filter[i] - strides[i], 0); };
  const TfName x = as_nhwc(call, "input");
  TfName sizes = out.sizes(x, call.dtype(), 0, 3);
  sizes = out.add("Mul", {sizes, out.constant(Ints{1, strides[0], strides[1]})}, kInt32);
  sizes = out.add("AddV2", {sizes, out.constant(Ints{0, added(0), added(1)})}, kInt32);
  sizes = out.concat({sizes, out.constant(Ints{filter[2]})}, kInt32, 0);
  const TfName y = out.add("Conv2DBackpropInput", {sizes, call.value("filter"), x}, call.dtype(),
                           {{"strides", around(strides)}, {"padding", call.text("padding")}});
  return {from_nhwc(call, add_bias(call, y))};
}

void add_pool(TfOps& ops, const std::string& ours, const std::string& tf) {
  ops[ours] = [tf](TfCall& call) -> TfNames {
    return {from_nhwc(call, call.out.add(tf, {as_nhwc(call, "input")}, call.dtype(),
                                         {{"ksize", around(call.integers("kernel"))},
                                          {"strides", around(call.integers("strides"))},
                                          {"padding", call.text("padding")}}))};
  };
}

TfNames resize(TfCall& call) {
  const bool nearest = call.text("method") == "nearest", corners = call.flag("align_corners");
  return {from_nhwc(
      call, call.out.add(nearest ? "ResizeNearestNeighbor" : "ResizeBilinear",
                         {as_nhwc(call, "input"), call.out.constant(call.integers("size"))}, call.dtype(),
                         {{"align_corners", corners}, {"half_pixel_centers", !corners}}))};
}

void add_images(TfOps& ops) {
  ops["belfry::conv2d"] = [](TfCall& call) -> TfNames {
    return {from_nhwc(call, add_bias(call, convolve(call, "Conv2D", call.value("filter"))))};
  };
  ops["belfry::depthwise_conv2d"] = depthwise_conv2d;
  ops["belfry::conv2d_transpose"] = conv2d_transpose;
  add_pool(ops, "belfry::max_pool2d", "MaxPool");
  add_pool(ops, "belfry::avg_pool2d", "AvgPool");
  ops["belfry::resize"] = resize;
}

/// A vector of channels so that it broadcasts over tensors of `rank` dimensions.
TfName over_channels(TfCall& call, const TfName& vector, int64_t rank) {
  if (!is_nchw(call) || rank == 2) return vector;
  Ints shape(static_cast<size_t>(rank - 1), 1);
  shape[0] = -1;
  return call.out.reshape(vector, call.dtype(), shape);
}

/// (x - mean) * scale / sqrt(variance + epsilon) + offset, where "" stands for no scale or offset
TfName normalize(TfCall& call, const TfName& x, const TfName& mean, const TfName& variance,
                 const TfName& scale, const TfName& offset, double epsilon) {
  TfName factor = apply(call, "Rsqrt", {apply(call, "AddV2", {variance, number(call, epsilon)})});
  if (!scale.empty()) factor = apply(call, "Mul", {factor, scale});
  const TfName y = apply(call, "Mul", {apply(call, "Sub", {x, mean}), factor});
  return offset.empty() ? y : apply(call, "AddV2", {y, offset});
}

TfNames batch_norm(TfCall& call) {
  const int64_t rank = call.rank("input");
  const auto channels = [&](const char* name) {
    return call.tensor(name).defined() ? over_channels(call, call.value(name, call.dtype()), rank) : TfName();
  };
  return {normalize(call, call.value("input"), channels("mean"), channels("variance"), channels("scale"),
                    channels("offset"), call.number("epsilon"))};
}

/// Mean and variance of `x` over `axes`, which are kept.
std::pair<TfName, TfName> moments(TfCall& call, const TfName& x, const Ints& axes) {
  const auto mean = [&](const TfName& of) {
    return call.out.add("Mean", {of, call.out.constant(axes)}, call.dtype(), {{"keep_dims", true}});
  };
  const TfName centre = mean(x);
  return {centre, mean(apply(call, "SquaredDifference", {x, centre}))};
}

TfNames layer_norm(TfCall& call) {
  const TfName x = call.value("input");
  Ints axes;
  for (int64_t i = static_cast<int64_t>(call.integers("normalized_shape").size()); i > 0; --i)
    axes.push_back(-i);
  const auto [mean, variance] = moments(call, x, axes);
  return {normalize(call, x, mean, variance, call.value("weight"), call.value("bias"), call.number("eps"))};
}

TfNames group_norm(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const int64_t rank = call.rank("input"), groups = call.integer("groups");
  const bool first = is_nchw(call) || rank == 2;
  const int64_t channels = call.shape("input")[first ? 1 : static_cast<size_t>(rank - 1)];
  if (channels == kDynamic) call.unsupported("a dynamic number of channels");
  const TfName x = call.value("input");
  const Ints grouped = first ? Ints{groups, channels / groups, -1} : Ints{-1, groups, channels / groups};
  const TfName shape = out.concat({out.sizes(x, dtype, 0, 1), out.constant(grouped)}, kInt32, 0);
  const TfName parts = out.add("Reshape", {x, shape}, dtype);
  const auto [mean, variance] = moments(call, parts, first ? Ints{2, 3} : Ints{1, 3});
  const TfName normalized = normalize(call, parts, mean, variance, "", "", call.number("epsilon"));
  TfName y = out.add("Reshape", {normalized, out.add("Shape", {x}, dtype)}, dtype);
  if (call.tensor("scale").defined())
    y = apply(call, "Mul", {y, over_channels(call, call.value("scale"), rank)});
  if (call.tensor("offset").defined())
    y = apply(call, "AddV2", {y, over_channels(call, call.value("offset"), rank)});
  return {y};
}

/// The sum of the squares of all elements.
TfName square_sum(TfCall& call, const TfName& x) {
  return apply(call, "Mul", {apply(call, "L2Loss", {x}), number(call, 2)});
}

void add_norms(TfOps& ops) {
  ops["belfry::batch_norm"] = batch_norm;
  ops["aten::layer_norm"] = layer_norm;
  ops["belfry::group_norm"] = group_norm;
  ops["belfry::bias_add"] = [](TfCall& call) -> TfNames {
    const TfName bias = over_channels(call, call.value("bias", call.dtype()), call.rank("x"));
    return {apply(call, "AddV2", {call.value("x", call.dtype()), bias})};
  };
  ops["belfry::l2_normalize"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("x");
    const TfName sum =
        call.out.add("Sum", {apply(call, "Square", {x}), call.out.constant(Ints{call.integer("axis")})},
                     call.dtype(), {{"keep_dims", true}});
    const TfName bounded = apply(call, "Maximum", {sum, number(call, call.number("epsilon"))});
    return {apply(call, "Mul", {x, apply(call, "Rsqrt", {bounded})})};
  };
  ops["belfry::clip_by_norm"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("x"), most = number(call, call.number("max_norm"));
    const TfName norm = apply(call, "Maximum", {apply(call, "Sqrt", {square_sum(call, x)}), most});
    return {apply(call, "Mul", {x, apply(call, "RealDiv", {most, norm})})};
  };
  ops["belfry::global_norm"] = [](TfCall& call) -> TfNames {
    TfName total;
    for (const Tensor& tensor : call.tensors("tensors")) {
      const TfName sum = square_sum(call, call.value(tensor, call.dtype()));
      total = total.empty() ? sum : apply(call, "AddV2", {total, sum});
    }
    return {apply(call, "Sqrt", {total})};
  };
}

/// What is added to the scores [..., T, S] so that no element of a sequence sees those after it.
TfName causal_mask(TfCall& call, const TfName& scores, int64_t rank) {
  GraphDefBuilder& out = call.out;
  const auto count = [&](int64_t axis, int64_t unsqueezed) {
    const TfName size = out.reshape(out.sizes(scores, call.dtype(), axis, axis + 1), kInt32, {});
    const TfName range = out.add("Range", {out.axis(0), size, out.axis(1)}, {{"Tidx", DataType::kInt32}});
    return out.add("ExpandDims", {range, out.axis(unsqueezed)}, kInt32);
  };
  const TfName seen = out.add("GreaterEqual", {count(rank - 2, 1), count(rank - 1, 0)}, kInt32);
  return apply(call, "SelectV2",
               {seen, number(call, 0), number(call, -std::numeric_limits<double>::infinity())});
}

TfNames attention(TfCall& call) {
  if (call.number("dropout_p") != 0 || call.flag("enable_gqa"))
    call.unsupported("attention with dropout or grouped heads");
  const int64_t rank = call.rank("query"), head_size = call.shape("query").back();
  if (!call.has("scale") && head_size == kDynamic) call.unsupported("attention with a dynamic head size");
  const double scale =
      call.has("scale") ? call.number("scale") : 1 / std::sqrt(static_cast<double>(head_size));
  TfName scores = call.out.add("BatchMatMulV2", {call.value("query"), call.value("key")}, call.dtype(),
                               {{"adj_y", true}});
  scores = apply(call, "Mul", {scores, number(call, scale)});
  if (call.flag("is_causal")) scores = apply(call, "AddV2", {scores, causal_mask(call, scores, rank)});
  if (call.tensor("attn_mask").defined()) {
    TfName mask = call.value("attn_mask");
    if (call.dtype("attn_mask") == kBool)
      mask = apply(call, "SelectV2",
                   {mask, number(call, 0), number(call, -std::numeric_limits<double>::infinity())});
    scores = apply(call, "AddV2", {scores, mask});
  }
  return {apply(call, "BatchMatMulV2", {apply(call, "Softmax", {scores}), call.value("value")})};
}

TfNames huber_loss(TfCall& call) {
  if (call.integer("reduction") != 0) call.unsupported("a huber_loss with a reduction");
  const double delta = call.number("delta");
  const TfName d = apply(call, "Abs", {apply(call, "Sub", {call.value("self"), call.value("target")})});
  const TfName near = apply(call, "Mul", {apply(call, "Square", {d}), number(call, 0.5)});
  const TfName far =
      apply(call, "Mul", {apply(call, "Sub", {d, number(call, delta / 2)}), number(call, delta)});
  return {apply(call, "SelectV2", {apply(call, "Less", {d, number(call, delta)}), near, far})};
}

/// max(x, 0) - x * z + log(1 + exp(-|x|))
TfNames sigmoid_cross_entropy(TfCall& call) {
  if (call.tensor("weight").defined() || call.tensor("pos_weight").defined() ||
      call.integer("reduction") != 0)
    call.unsupported("a cross entropy with weights or a reduction");
  const TfName x = call.value("self"), z = call.value("target", call.dtype());
  const TfName linear = apply(call, "Sub", {apply(call, "Relu", {x}), apply(call, "Mul", {x, z})});
  return {apply(call, "AddV2",
                {linear, apply(call, "Softplus", {apply(call, "Neg", {apply(call, "Abs", {x})})})})};
}

TfName in_top_k(TfCall& call) {
  return call.out.add("InTopKV2",
                      {call.value("predictions", kFloat32), call.value("labels", kInt64),
                       call.out.constant(call.scalar("k"), kInt64)},
                      kInt64);
}

void add_losses(TfOps& ops) {
  ops["belfry::sparse_softmax_cross_entropy"] = [](TfCall& call) -> TfNames {
    if (call.rank("logits") != 2) call.unsupported("a sparse_softmax_cross_entropy of another rank than 2");
    return {call.out.add("SparseSoftmaxCrossEntropyWithLogits",
                         {call.value("logits"), call.value("labels", kInt64)}, call.dtype(),
                         {{"Tlabels", DataType::kInt64}})};
  };
  ops["belfry::softmax_cross_entropy"] = [](TfCall& call) -> TfNames {
    const TfName log_prob = apply(call, "LogSoftmax", {call.value("logits", call.dtype())});
    const TfName product = apply(call, "Mul", {call.value("labels", call.dtype()), log_prob});
    return {apply(call, "Neg", {apply(call, "Sum", {product, call.out.constant(Ints{-1})})})};
  };
  ops["aten::binary_cross_entropy_with_logits"] = sigmoid_cross_entropy;
  ops["aten::huber_loss"] = huber_loss;
  ops["belfry::l2_loss"] = [](TfCall& call) -> TfNames { return {apply(call, "L2Loss", {call.value("x")})}; };
  ops["belfry::in_top_k"] = [](TfCall& call) -> TfNames { return {in_top_k(call)}; };
  ops["belfry::not_in_top_k"] = [](TfCall& call) -> TfNames {
    return {call.out.cast(call.out.add("LogicalNot", {in_top_k(call)}), kBool, kFloat32)};
  };
}

}  // namespace

void add_nn_ops(TfOps& ops) {
  add_activations(ops);
  add_products(ops);
  add_images(ops);
  add_norms(ops);
  ops["aten::scaled_dot_product_attention"] = attention;
  add_losses(ops);
}

}  // namespace belfry::internal
