#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "belfry/interchange/internal/onnx/ops.h"

// Activations, products, normalisations and attention. What ONNX has as one operator is one node; what it
// has not, in the opset that is written, is spelt out in simpler ones with the same values.
namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

float to_float(double value) {
  return static_cast<float>(value);
}

OnnxName times(OnnxCall& call, const OnnxName& x, double factor) {
  return call.out.elementwise("Mul", {x, call.out.constant(factor, call.result().dtype)});
}
OnnxName plus(OnnxCall& call, const OnnxName& x, double term) {
  return call.out.elementwise("Add", {x, call.out.constant(term, call.result().dtype)});
}

OnnxNames gelu(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const OnnxName x = call.value("self");
  OnnxName inner;
  if (call.text("approximate") == "tanh") {
    const OnnxName cube = out.elementwise("Mul", {out.elementwise("Mul", {x, x}), x});
    const OnnxName sum = out.elementwise("Add", {x, times(call, cube, 0.044715)});
    inner = out.elementwise("Tanh", {times(call, sum, std::sqrt(2 / std::numbers::pi))});
  } else {
    inner = out.elementwise("Erf", {times(call, x, std::numbers::sqrt2 / 2)});
  }
  return {out.elementwise("Mul", {times(call, x, 0.5), plus(call, inner, 1)})};
}

void add_activations(OnnxOps& ops) {
  ops["aten::selu"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.elementwise("Selu", {call.value("self", call.result().dtype)})};
  };
  ops["aten::gelu"] = gelu;
  ops["aten::silu"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName x = call.value("self");
    return {call.out.elementwise("Mul", {x, call.out.elementwise("Sigmoid", {x})})};
  };
  ops["aten::elu"] = [](OnnxCall& call) -> OnnxNames {
    const double scale = call.number("scale"), inner = call.number("input_scale");
    OnnxName y = call.value("self");
    if (inner != 1) call.unsupported("an elu that scales its input");
    y = call.out.elementwise("Elu", {y}, {{"alpha", to_float(call.number("alpha"))}});
    return {scale == 1 ? y : times(call, y, scale)};
  };
  ops["aten::leaky_relu"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.elementwise("LeakyRelu", {call.value("self")},
                                 {{"alpha", to_float(call.number("negative_slope"))}})};
  };
  ops["aten::softplus"] = [](OnnxCall& call) -> OnnxNames {
    const double beta = call.number("beta");
    OnnxName x = call.value("self");
    if (beta == 1) return {call.out.elementwise("Softplus", {x})};
    return {times(call, call.out.elementwise("Softplus", {times(call, x, beta)}), 1 / beta)};
  };
  ops["belfry::softsign"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.elementwise("Softsign", {call.value("x", call.result().dtype)})};
  };
  ops["aten::log_sigmoid"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName flipped = call.out.elementwise("Neg", {call.value("self")});
    return {call.out.elementwise("Neg", {call.out.elementwise("Softplus", {flipped})})};
  };
  ops["belfry::prelu"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    const OnnxName x = call.value("x", dtype), zero = call.out.constant(0, dtype);
    const OnnxName below = call.out.elementwise("Min", {x, zero});
    return {call.out.elementwise("Add", {call.out.elementwise("Relu", {x}),
                                         call.out.elementwise("Mul", {call.value("alpha", dtype), below})})};
  };
  for (const auto& [aten, onnx] :
       {std::pair("aten::softmax.int", "Softmax"), std::pair("aten::log_softmax.int", "LogSoftmax")}) {
    ops[aten] = [onnx = std::string(onnx)](OnnxCall& call) -> OnnxNames {
      return {call.out.add(onnx, {call.value("self", call.result().dtype)}, {{"axis", call.integer("dim")}})};
    };
  }
}

void add_products(OnnxOps& ops) {
  ops["aten::matmul"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("MatMul", {call.value("self"), call.value("other")})};
  };
  ops["aten::mm"] = ops["aten::bmm"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("MatMul", {call.value("self"), call.value("mat2")})};
  };
  ops["aten::addmm"] = [](OnnxCall& call) -> OnnxNames {
    return {
        call.out.add("Gemm", {call.value("mat1"), call.value("mat2"), call.value("self")},
                     {{"alpha", to_float(call.number("alpha"))}, {"beta", to_float(call.number("beta"))}})};
  };
  ops["aten::linear"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName weight = call.out.transpose(call.value("weight"), {1, 0});
    const OnnxName product = call.out.add("MatMul", {call.value("input"), weight});
    const OnnxName bias = call.value("bias");
    return {bias.empty() ? product : call.out.add("Add", {product, bias})};
  };
  ops["aten::tensordot"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.add("Einsum", {call.value("self"), call.value("other")},
                         {{"equation", call.contraction()}})};
  };
  ops["aten::einsum"] = [](OnnxCall& call) -> OnnxNames {
    OnnxNames inputs;
    for (const Tensor& tensor : call.tensors("tensors"))
      inputs.push_back(call.value(tensor, call.result().dtype));
    return {call.out.add("Einsum", inputs, {{"equation", call.text("equation")}})};
  };
}

bool has_channels_last(const OnnxCall& call, int64_t rank) {
  return call.text("data_format") == "NHWC" && rank > 2;
}

OnnxNames batch_norm(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("input");
  const bool last = has_channels_last(call, rank);
  const DType dtype = call.dtype("mean");
  const int64_t channels = call.shape("mean")[0];
  OnnxName scale = call.value("scale"), offset = call.value("offset");
  if ((scale.empty() || offset.empty()) && channels == kDynamic)
    call.unsupported("a dynamic number of channels");
  if (scale.empty()) scale = out.constant(at::ones({channels}, dtype));
  if (offset.empty()) offset = out.constant(at::zeros({channels}, dtype));
  const OnnxName x = call.value("input");
  const OnnxName y = out.add(
      "BatchNormalization",
      {last ? channels_second(out, x, rank) : x, scale, offset, call.value("mean"), call.value("variance")},
      {{"epsilon", to_float(call.number("epsilon"))}});
  return {last ? channels_last(out, y, rank) : y};
}

/// All of a batch's dimensions but the channels, which stay to be broadcast over.
OnnxNames batch_norm_training(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("input"),
                channel = has_channels_last(call, rank) || rank == 2 ? rank - 1 : 1;
  const DType dtype = call.result(0).dtype, statistics = call.result(1).dtype;
  Ints axes, shape(static_cast<size_t>(rank - channel), 1);
  shape[0] = -1;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (axis != channel) axes.push_back(axis);
  }
  const OnnxName x = call.value("input", statistics);
  const OnnxName mean = reduce(out, "ReduceMean", x, axes, /*keep=*/true), d = out.add("Sub", {x, mean});
  const OnnxName variance = reduce(out, "ReduceMean", out.add("Mul", {d, d}), axes, /*keep=*/true);
  const OnnxName sum = out.add("Add", {variance, out.constant(call.number("epsilon"), statistics)});
  OnnxName y = out.add("Div", {d, out.add("Sqrt", {sum})});
  if (call.tensor("scale").defined()) y = out.add("Mul", {y, out.reshape(call.value("scale"), shape)});
  if (call.tensor("offset").defined()) y = out.add("Add", {y, out.reshape(call.value("offset"), shape)});
  OnnxName spread = out.squeeze(variance, axes);
  if (call.flag("unbiased_variance")) {
    const OnnxName all = out.add("Size", {x}), channels = out.add("Size", {spread}),
                   one = out.constant(1, kInt64);
    const OnnxName count = out.add("Div", {all, channels});
    const OnnxName freedom = out.add("Max", {out.add("Sub", {count, one}), one});
    spread = out.add("Mul", {spread, out.add("Div", {out.cast(count, kInt64, statistics),
                                                     out.cast(freedom, kInt64, statistics)})});
  }
  return {out.cast(y, statistics, dtype), out.squeeze(mean, axes), spread};
}

/// ONNX divides alpha by the number of channels summed over, and has them second.
OnnxNames local_response_normalization(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("x"), size = 2 * call.integer("depth_radius") + 1;
  const OnnxAttributes attributes{{"size", size},
                                  {"alpha", to_float(call.number("alpha") * static_cast<double>(size))},
                                  {"beta", to_float(call.number("beta"))},
                                  {"bias", to_float(call.number("bias"))}};
  const OnnxName x = call.value("x", call.result().dtype);
  if (rank == 4)
    return {channels_last(out, out.add("LRN", {channels_second(out, x, rank)}, attributes), rank)};
  const OnnxName pixels =
      out.add("Concat", {out.constant(Ints{-1}), out.sizes(x, rank - 1, rank), out.constant(Ints{1, 1})},
              {{"axis", int64_t{0}}});
  const OnnxName y = out.add("LRN", {out.add("Reshape", {x, pixels})}, attributes);
  return {out.add("Reshape", {y, out.add("Shape", {x})})};
}

OnnxNames bias_add(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const int64_t rank = call.rank("x");
  OnnxName bias = call.value("bias", dtype);
  if (!has_channels_last(call, rank) && rank > 2) {
    Ints shape(static_cast<size_t>(rank - 1), 1);
    shape[0] = -1;
    bias = out.reshape(bias, shape);
  }
  return {out.elementwise("Add", {call.value("x", dtype), bias})};
}

OnnxNames layer_norm(OnnxCall& call) {
  const Ints shape = call.integers("normalized_shape");
  OnnxName scale = call.value("weight");
  if (scale.empty()) scale = call.out.constant(at::ones(shape, call.result().dtype));
  OnnxNames inputs{call.value("input"), scale};
  if (call.tensor("bias").defined()) inputs.push_back(call.value("bias"));
  return {call.out.add(
      "LayerNormalization", inputs,
      {{"axis", -static_cast<int64_t>(shape.size())}, {"epsilon", to_float(call.number("eps"))}})};
}

/// As an instance normalization of [N, groups, everything else].
OnnxNames group_norm(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const int64_t rank = call.rank("input"), groups = call.integer("groups");
  const DType dtype = call.result().dtype;
  const bool last = has_channels_last(call, rank);
  const OnnxName x = last ? channels_second(out, call.value("input"), rank) : call.value("input");
  const OnnxName grouped = out.add("Reshape", {x, out.constant(Ints{0, groups, -1})});
  const OnnxName normalized =
      out.add("InstanceNormalization",
              {grouped, out.constant(at::ones({groups}, dtype)), out.constant(at::zeros({groups}, dtype))},
              {{"epsilon", to_float(call.number("epsilon"))}});
  OnnxName y = out.add("Reshape", {normalized, out.add("Shape", {x})});
  Ints channels(static_cast<size_t>(rank - 1), 1);
  channels[0] = -1;
  if (call.tensor("scale").defined()) y = out.add("Mul", {y, out.reshape(call.value("scale"), channels)});
  if (call.tensor("offset").defined()) y = out.add("Add", {y, out.reshape(call.value("offset"), channels)});
  return {last ? channels_last(out, y, rank) : y};
}

OnnxNames l2_normalize(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const OnnxName x = call.value("x", call.result().dtype);
  const OnnxName sum =
      out.add("ReduceSum", {out.add("Mul", {x, x}), out.constant(Ints{call.integer("axis")})});
  const OnnxName bounded = out.add("Max", {sum, out.constant(call.number("epsilon"), call.result().dtype)});
  return {out.add("Div", {x, out.add("Sqrt", {bounded})})};
}

/// The norm of all elements of `x`.
OnnxName norm(OnnxBuilder& out, const OnnxName& x) {
  return out.add("ReduceL2", {x}, {{"keepdims", int64_t{0}}});
}

void add_norms(OnnxOps& ops) {
  ops["belfry::batch_norm"] = batch_norm;
  ops["belfry::batch_norm_training"] = batch_norm_training;
  ops["belfry::local_response_normalization"] = local_response_normalization;
  ops["belfry::bias_add"] = bias_add;
  ops["aten::layer_norm"] = layer_norm;
  ops["belfry::group_norm"] = group_norm;
  ops["belfry::l2_normalize"] = l2_normalize;
  ops["belfry::clip_by_norm"] = [](OnnxCall& call) -> OnnxNames {
    OnnxBuilder& out = call.out;
    const OnnxName x = call.value("x", call.result().dtype),
                   most = out.constant(call.number("max_norm"), call.result().dtype);
    return {out.add("Mul", {x, out.add("Div", {most, out.add("Max", {norm(out, x), most})})})};
  };
  ops["belfry::global_norm"] = [](OnnxCall& call) -> OnnxNames {
    OnnxBuilder& out = call.out;
    OnnxNames norms;
    for (const Tensor& tensor : call.tensors("tensors"))
      norms.push_back(out.unsqueeze(norm(out, call.value(tensor, call.result().dtype)), {0}));
    return {norm(out, out.add("Concat", norms, {{"axis", int64_t{0}}}))};
  };
}

/// What is added to the scores [..., T, S] so that no element of a sequence sees those after it.
OnnxName causal_mask(OnnxCall& call, const OnnxName& scores, int64_t rank) {
  OnnxBuilder& out = call.out;
  const auto count = [&](int64_t axis, int64_t unsqueezed) {
    const OnnxName size = out.squeeze(out.sizes(scores, axis, axis + 1), {0});
    const OnnxName range = out.add("Range", {out.constant(0, kInt64), size, out.constant(1, kInt64)});
    return out.unsqueeze(range, {unsqueezed});
  };
  const OnnxName seen = out.add("GreaterOrEqual", {count(rank - 2, 1), count(rank - 1, 0)});
  const DType dtype = call.result().dtype;
  return out.add(
      "Where", {seen, out.constant(0, dtype), out.constant(-std::numeric_limits<double>::infinity(), dtype)});
}

OnnxNames attention(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  if (call.number("dropout_p") != 0 || call.flag("enable_gqa"))
    call.unsupported("attention with dropout or grouped heads");
  const DType dtype = call.result().dtype;
  const int64_t rank = call.rank("query"), head_size = call.shape("query").back();
  if (!call.has("scale") && head_size == kDynamic) call.unsupported("attention with a dynamic head size");
  const double scale =
      call.has("scale") ? call.number("scale") : 1 / std::sqrt(static_cast<double>(head_size));
  Ints swap(static_cast<size_t>(rank));
  for (int64_t axis = 0; axis < rank; ++axis) swap[static_cast<size_t>(axis)] = axis;
  std::swap(swap[swap.size() - 1], swap[swap.size() - 2]);
  OnnxName scores = out.add("MatMul", {call.value("query"), out.transpose(call.value("key"), swap)});
  scores = out.add("Mul", {scores, out.constant(scale, dtype)});
  if (call.flag("is_causal")) scores = out.add("Add", {scores, causal_mask(call, scores, rank)});
  if (call.tensor("attn_mask").defined()) {
    OnnxName mask = call.value("attn_mask");
    if (call.dtype("attn_mask") == kBool) {
      mask = out.add("Where", {mask, out.constant(0, dtype),
                               out.constant(-std::numeric_limits<double>::infinity(), dtype)});
    }
    scores = out.add("Add", {scores, mask});
  }
  OnnxName weights = out.add("Softmax", {scores}, {{"axis", int64_t{-1}}});
  if (call.tensor("attn_mask")
          .defined()) {  // a row that is hidden whole has weights 0, of which softmax makes NaN
    const OnnxName lowest = out.constant(-std::numeric_limits<double>::infinity(), dtype);
    const OnnxName seen = out.add("Not", {out.elementwise("Equal", {scores, lowest})});
    const OnnxName count = reduce(out, "ReduceSum", out.cast(seen, kBool, kFloat32), {rank - 1}, true);
    const OnnxName sees = out.add("Greater", {count, out.constant(0, kFloat32)});
    weights = out.elementwise("Where", {sees, weights, out.constant(0, dtype)});
  }
  return {out.add("MatMul", {weights, call.value("value")})};
}

}  // namespace

OnnxName channels_second(OnnxBuilder& out, const OnnxName& x, int64_t rank) {
  Ints permutation{0, rank - 1};
  for (int64_t axis = 1; axis < rank - 1; ++axis) permutation.push_back(axis);
  return out.transpose(x, permutation);
}
OnnxName channels_last(OnnxBuilder& out, const OnnxName& x, int64_t rank) {
  Ints permutation{0};
  for (int64_t axis = 2; axis < rank; ++axis) permutation.push_back(axis);
  permutation.push_back(1);
  return out.transpose(x, permutation);
}

void add_nn_ops(OnnxOps& ops) {
  add_activations(ops);
  add_products(ops);
  add_norms(ops);
  ops["aten::scaled_dot_product_attention"] = attention;
}

}  // namespace belfry::internal
