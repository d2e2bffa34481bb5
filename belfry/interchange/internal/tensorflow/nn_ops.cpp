#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Activations, products, normalisations and attention. What TensorFlow has as one operator is one node; what
// it has not is spelt out in simpler ones with the same values.
namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

TfNames gelu(TfCall& call) {
  const TfName x = call.value("self");
  TfName inner;
  if (call.text("approximate") == "tanh") {
    const TfName cube = call.apply("Mul", {call.apply("Mul", {x, x}), x});
    const TfName sum = call.apply("AddV2", {x, call.apply("Mul", {cube, call.literal(0.044715)})});
    inner = call.apply("Tanh", {call.apply("Mul", {sum, call.literal(std::sqrt(2 / std::numbers::pi))})});
  } else {
    inner = call.apply("Erf", {call.apply("Mul", {x, call.literal(std::numbers::sqrt2 / 2)})});
  }
  const TfName half = call.apply("Mul", {x, call.literal(0.5)});
  return {call.apply("Mul", {half, call.apply("AddV2", {inner, call.literal(1)})})};
}

/// Softmax and LogSoftmax, which TensorFlow has along the last dimension.
void add_softmax(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    const int64_t rank = call.rank("self");
    const Ints swap = swap_with_last(call.axis("dim", rank), rank);
    const DType dtype = call.dtype();
    const TfName x = call.out.transpose(call.value("self", dtype), dtype, swap);
    return {call.out.transpose(call.out.add(tf, {x}, dtype), dtype, swap)};
  };
}

void add_activations(TfOps& ops) {
  ops["aten::selu"] = [](TfCall& call) -> TfNames {
    return {call.apply("Selu", {call.value("self", call.dtype())})};
  };
  ops["aten::gelu"] = gelu;
  ops["aten::silu"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("self");
    return {call.apply("Mul", {x, call.apply("Sigmoid", {x})})};
  };
  ops["aten::hardswish"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("self");
    const TfName gate = call.apply("Relu6", {call.apply("AddV2", {x, call.literal(3)})});
    return {call.apply("Mul", {x, call.apply("Mul", {gate, call.literal(1.0 / 6)})})};
  };
  ops["aten::elu"] = [](TfCall& call) -> TfNames {
    const double alpha = call.number("alpha"), scale = call.number("scale");
    if (call.number("input_scale") != 1) call.unsupported("an elu that scales its input");
    const TfName x = call.value("self");
    TfName y = call.apply("Elu", {x});
    if (alpha != 1) {
      const TfName below = call.apply("Mul", {y, call.literal(alpha)});
      y = call.apply("SelectV2", {call.out.add("Greater", {x, call.literal(0)}, call.dtype()), x, below});
    }
    return {scale == 1 ? y : call.apply("Mul", {y, call.literal(scale)})};
  };
  ops["aten::leaky_relu"] = [](TfCall& call) -> TfNames {
    return {call.out.add("LeakyRelu", {call.value("self")}, call.dtype(),
                         {{"alpha", static_cast<float>(call.number("negative_slope"))}})};
  };
  ops["aten::softplus"] = [](TfCall& call) -> TfNames {
    const double beta = call.number("beta");
    const TfName x = call.value("self");
    if (beta == 1) return {call.apply("Softplus", {x})};
    const TfName y = call.apply("Softplus", {call.apply("Mul", {x, call.literal(beta)})});
    return {call.apply("Mul", {y, call.literal(1 / beta)})};
  };
  ops["belfry::softsign"] = [](TfCall& call) -> TfNames {
    return {call.apply("Softsign", {call.value("x", call.dtype())})};
  };
  ops["aten::log_sigmoid"] = [](TfCall& call) -> TfNames {
    return {call.apply("Neg", {call.apply("Softplus", {call.apply("Neg", {call.value("self")})})})};
  };
  ops["belfry::prelu"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("x", call.dtype());
    const TfName below = call.apply("Minimum", {x, call.literal(0)});
    const TfName scaled = call.apply("Mul", {call.value("alpha", call.dtype()), below});
    return {call.apply("AddV2", {call.apply("Relu", {x}), scaled})};
  };
  add_softmax(ops, "aten::softmax.int", "Softmax");
  add_softmax(ops, "aten::log_softmax.int", "LogSoftmax");
}

/// A vector is a row on the left and a column on the right.
TfName matmul(TfCall& call, const char* left, const char* right) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const int64_t a = call.rank(left), b = call.rank(right);
  TfName x = call.value(left), y = call.value(right);
  if (a == 1) x = out.add("ExpandDims", {x, out.axis(0)}, dtype);
  if (b == 1) y = out.add("ExpandDims", {y, out.axis(1)}, dtype);
  const TfName product = call.apply(a <= 2 && b <= 2 ? "MatMul" : "BatchMatMulV2", {x, y});
  Ints added;
  if (a == 1) added.push_back(-2);
  if (b == 1) added.push_back(-1);
  return added.empty() ? product : out.add("Squeeze", {product}, dtype, {{"squeeze_dims", added}});
}

/// The subscripts of an equation: those of its inputs, and of its result.
struct Subscripts {
  std::vector<std::string> inputs;
  std::string result;
};

constexpr const char* kEllipsis = "...";

/// Where the equation does not say them, those of the result are the ones that are there once, in order.
Subscripts subscripts_of(std::string equation) {
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  Subscripts all{{""}, ""};
  for (char c : equation.substr(0, arrow)) {
    if (c == ',') {
      all.inputs.emplace_back();
    } else {
      all.inputs.back() += c;
    }
  }
  if (arrow != std::string::npos) {
    all.result = equation.substr(arrow + 2);
    return all;
  }
  std::map<char, int> counts;
  for (const std::string& input : all.inputs) {
    for (char c : input) ++counts[c];
  }
  if (counts.erase('.')) all.result = kEllipsis;
  for (const auto& [label, count] : counts) {
    if (count == 1) all.result += label;
  }
  return all;
}

/// Of the product of the first two inputs, what the other inputs or the result still need.
std::string product_subscripts(const Subscripts& all) {
  std::string needed = all.result, both = all.inputs[0] + all.inputs[1];
  for (size_t i = 2; i < all.inputs.size(); ++i) needed += all.inputs[i];
  std::string kept = both.find('.') == std::string::npos ? "" : kEllipsis;
  for (char c : both) {
    if (c != '.' && needed.find(c) != std::string::npos && kept.find(c) == std::string::npos) kept += c;
  }
  return kept;
}

/// TensorFlow's operator takes one input or two: of more the first two are multiplied until there are two.
TfNames einsum(TfCall& call) {
  Subscripts all = subscripts_of(call.text("equation"));
  TfNames inputs;
  for (const Tensor& tensor : call.tensors("tensors")) inputs.push_back(call.value(tensor, call.dtype()));
  const auto add = [&](const TfNames& of, const std::string& equation) {
    return call.out.add("Einsum", of, call.dtype(),
                        {{"N", static_cast<int64_t>(of.size())}, {"equation", equation}});
  };
  while (inputs.size() > 2) {
    const std::string product = product_subscripts(all);
    inputs[1] = add({inputs[0], inputs[1]}, all.inputs[0] + "," + all.inputs[1] + "->" + product);
    inputs.erase(inputs.begin());
    all.inputs[1] = product;
    all.inputs.erase(all.inputs.begin());
  }
  const std::string last = all.inputs.size() == 2 ? "," + all.inputs[1] : "";
  return {add(inputs, all.inputs[0] + last + "->" + all.result)};
}

void add_products(TfOps& ops) {
  const auto product = [](const char* left, const char* right) {
    return [left, right](TfCall& call) -> TfNames { return {matmul(call, left, right)}; };
  };
  ops["aten::matmul"] = product("self", "other");
  ops["aten::mm"] = ops["aten::bmm"] = product("self", "mat2");
  ops["aten::addmm"] = [](TfCall& call) -> TfNames {
    const auto scaled = [&](const TfName& x, double factor) {
      return factor == 1 ? x : call.apply("Mul", {x, call.literal(factor)});
    };
    const TfName y = call.apply("MatMul", {call.value("mat1"), call.value("mat2")});
    return {call.apply("AddV2",
                       {scaled(y, call.number("alpha")), scaled(call.value("self"), call.number("beta"))})};
  };
  ops["aten::linear"] = [](TfCall& call) -> TfNames {
    const TfName weight = call.out.transpose(call.value("weight"), call.dtype(), {1, 0});
    const TfName y =
        call.apply(call.rank("input") == 2 ? "MatMul" : "BatchMatMulV2", {call.value("input"), weight});
    return {call.tensor("bias").defined() ? call.apply("AddV2", {y, call.value("bias")}) : y};
  };
  ops["aten::tensordot"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Einsum", {call.value("self"), call.value("other")}, call.dtype(),
                         {{"N", int64_t{2}}, {"equation", call.contraction()}})};
  };
  ops["aten::einsum"] = einsum;
}

/// A vector of channels so that it broadcasts over tensors of `rank` dimensions.
TfName over_channels(TfCall& call, const TfName& vector, int64_t rank) {
  if (!call.is_nchw() || rank == 2) return vector;
  Ints shape(static_cast<size_t>(rank - 1), 1);
  shape[0] = -1;
  return call.out.reshape(vector, call.dtype(), shape);
}

/// (x - mean) * scale / sqrt(variance + epsilon) + offset, where "" stands for no scale or offset
TfName normalize(TfCall& call, const TfName& x, const TfName& mean, const TfName& variance,
                 const TfName& scale, const TfName& offset, double epsilon) {
  TfName factor = call.apply("Rsqrt", {call.apply("AddV2", {variance, call.literal(epsilon)})});
  if (!scale.empty()) factor = call.apply("Mul", {factor, scale});
  const TfName y = call.apply("Mul", {call.apply("Sub", {x, mean}), factor});
  return offset.empty() ? y : call.apply("AddV2", {y, offset});
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
  return {centre, mean(call.apply("SquaredDifference", {x, centre}))};
}

/// Over all of a batch's dimensions but the channels.
TfNames batch_norm_training(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const int64_t rank = call.rank("input"), channel = call.is_nchw() || rank == 2 ? 1 : rank - 1;
  const DType statistics = call.result(1).dtype;
  if (statistics != call.dtype()) call.unsupported("statistics of another dtype than the input");
  Ints axes;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (axis != channel) axes.push_back(axis);
  }
  const TfName x = call.value("input");
  const auto [mean, variance] = moments(call, x, axes);
  const auto channels = [&](const char* name) {
    return call.tensor(name).defined() ? over_channels(call, call.value(name), rank) : TfName();
  };
  const TfName y =
      normalize(call, x, mean, variance, channels("scale"), channels("offset"), call.number("epsilon"));
  TfName spread = out.reshape(variance, statistics, {-1});
  if (call.flag("unbiased_variance")) {
    const auto size_of = [&](const TfName& of) {
      return out.cast(out.add("Size", {of}, statistics), kInt32, statistics);
    };
    const TfName count = call.apply("RealDiv", {size_of(x), size_of(spread)}), one = call.literal(1);
    const TfName freedom = call.apply("Maximum", {call.apply("Sub", {count, one}), one});
    spread = call.apply("Mul", {spread, call.apply("RealDiv", {count, freedom})});
  }
  return {y, out.reshape(mean, statistics, {-1}), spread};
}

/// TensorFlow's is for images.
TfNames local_response_normalization(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const int64_t rank = call.rank("x");
  const TfName x = call.value("x", dtype);
  TfName image = x;
  if (rank != 4) {
    const TfName channels = out.sizes(x, dtype, rank - 1, rank);
    image = out.add("Reshape", {x, out.concat({out.constant(Ints{-1, 1, 1}), channels}, kInt32, 0)}, dtype);
  }
  const TfName y = out.add("LRN", {image}, dtype,
                           {{"depth_radius", call.integer("depth_radius")},
                            {"bias", static_cast<float>(call.number("bias"))},
                            {"alpha", static_cast<float>(call.number("alpha"))},
                            {"beta", static_cast<float>(call.number("beta"))}});
  return {rank == 4 ? y : out.add("Reshape", {y, out.add("Shape", {x}, dtype)}, dtype)};
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
  const bool first = call.is_nchw() || rank == 2;
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
    y = call.apply("Mul", {y, over_channels(call, call.value("scale"), rank)});
  if (call.tensor("offset").defined())
    y = call.apply("AddV2", {y, over_channels(call, call.value("offset"), rank)});
  return {y};
}

/// The sum of the squares of all elements.
TfName square_sum(TfCall& call, const TfName& x) {
  return call.apply("Mul", {call.apply("L2Loss", {x}), call.literal(2)});
}

void add_norms(TfOps& ops) {
  ops["belfry::batch_norm"] = batch_norm;
  ops["belfry::batch_norm_training"] = batch_norm_training;
  ops["belfry::local_response_normalization"] = local_response_normalization;
  ops["aten::layer_norm"] = layer_norm;
  ops["belfry::group_norm"] = group_norm;
  ops["belfry::bias_add"] = [](TfCall& call) -> TfNames {
    const TfName bias = over_channels(call, call.value("bias", call.dtype()), call.rank("x"));
    return {call.apply("AddV2", {call.value("x", call.dtype()), bias})};
  };
  ops["belfry::l2_normalize"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("x", call.dtype());
    const TfName sum =
        call.out.add("Sum", {call.apply("Square", {x}), call.out.constant(Ints{call.integer("axis")})},
                     call.dtype(), {{"keep_dims", true}});
    const TfName bounded = call.apply("Maximum", {sum, call.literal(call.number("epsilon"))});
    return {call.apply("Mul", {x, call.apply("Rsqrt", {bounded})})};
  };
  ops["belfry::clip_by_norm"] = [](TfCall& call) -> TfNames {
    const TfName x = call.value("x", call.dtype()), most = call.literal(call.number("max_norm"));
    const TfName norm = call.apply("Maximum", {call.apply("Sqrt", {square_sum(call, x)}), most});
    return {call.apply("Mul", {x, call.apply("RealDiv", {most, norm})})};
  };
  ops["belfry::global_norm"] = [](TfCall& call) -> TfNames {
    TfName total;
    for (const Tensor& tensor : call.tensors("tensors")) {
      const TfName sum = square_sum(call, call.value(tensor, call.dtype()));
      total = total.empty() ? sum : call.apply("AddV2", {total, sum});
    }
    return {call.apply("Sqrt", {total})};
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
  return call.apply("SelectV2",
                    {seen, call.literal(0), call.literal(-std::numeric_limits<double>::infinity())});
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
  scores = call.apply("Mul", {scores, call.literal(scale)});
  if (call.flag("is_causal")) scores = call.apply("AddV2", {scores, causal_mask(call, scores, rank)});
  if (call.tensor("attn_mask").defined()) {
    TfName mask = call.value("attn_mask");
    if (call.dtype("attn_mask") == kBool)
      mask = call.apply("SelectV2",
                        {mask, call.literal(0), call.literal(-std::numeric_limits<double>::infinity())});
    scores = call.apply("AddV2", {scores, mask});
  }
  TfName weights = call.apply("Softmax", {scores});
  if (call.tensor("attn_mask")
          .defined()) {  // a row that is hidden whole has weights 0, of which softmax makes NaN
    GraphDefBuilder& out = call.out;
    const TfName lowest = call.literal(-std::numeric_limits<double>::infinity());
    const TfName seen = out.cast(out.add("NotEqual", {scores, lowest}, call.dtype()), kBool, kFloat32);
    const TfName count = reduce(out, "Sum", seen, kFloat32, {rank - 1}, /*keep=*/true);
    const TfName sees = out.add("Greater", {count, out.constant(0, kFloat32)}, kFloat32);
    weights = call.apply("SelectV2", {sees, weights, call.literal(0)});
  }
  return {call.apply("BatchMatMulV2", {weights, call.value("value")})};
}

}  // namespace

void add_nn_ops(TfOps& ops) {
  add_activations(ops);
  add_products(ops);
  add_norms(ops);
  ops["aten::scaled_dot_product_attention"] = attention;
}

}  // namespace belfry::internal
