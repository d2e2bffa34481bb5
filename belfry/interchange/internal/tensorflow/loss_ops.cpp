#include <numeric>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Losses and scores, for graphs whose outputs are an evaluation's.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// ATen's reductions: none, the mean, the sum.
TfName reduced(TfCall& call, const TfName& loss, const char* argument) {
  const int64_t reduction = call.integer("reduction");
  if (reduction == 0) return loss;
  Ints axes(static_cast<size_t>(call.rank(argument)));
  std::iota(axes.begin(), axes.end(), 0);
  return reduce(call.out, reduction == 1 ? "Mean" : "Sum", loss, call.dtype(), axes, /*keep=*/false);
}

TfNames huber_loss(TfCall& call) {
  const double delta = call.number("delta");
  const TfName d = call.apply("Abs", {call.apply("Sub", {call.value("self"), call.value("target")})});
  const TfName near = call.apply("Mul", {call.apply("Square", {d}), call.literal(0.5)});
  const TfName far =
      call.apply("Mul", {call.apply("Sub", {d, call.literal(delta / 2)}), call.literal(delta)});
  return {reduced(call, call.apply("SelectV2", {call.apply("Less", {d, call.literal(delta)}), near, far}),
                  "self")};
}

/// (1 - z) * x + w * (log(1 + exp(-|x|)) + max(-x, 0)), where w is 1 + (positive weight - 1) * z
TfNames sigmoid_cross_entropy(TfCall& call) {
  const TfName x = call.value("self", call.dtype()), z = call.value("target", call.dtype());
  const TfName one = call.literal(1);
  const TfName linear = call.apply("Mul", {call.apply("Sub", {one, z}), x});
  const TfName soft = call.apply("Softplus", {call.apply("Neg", {call.apply("Abs", {x})})});
  TfName log = call.apply("AddV2", {soft, call.apply("Relu", {call.apply("Neg", {x})})});
  if (call.tensor("pos_weight").defined()) {
    const TfName more = call.apply("Sub", {call.value("pos_weight", call.dtype()), one});
    log = call.apply("Mul", {call.apply("AddV2", {call.apply("Mul", {more, z}), one}), log});
  }
  TfName loss = call.apply("AddV2", {linear, log});
  if (call.tensor("weight").defined()) loss = call.apply("Mul", {loss, call.value("weight", call.dtype())});
  return {reduced(call, loss, "self")};
}

TfNames difference_loss(TfCall& call, const char* measure) {
  const TfName d = call.apply("Sub", {call.value("self", call.dtype()), call.value("target", call.dtype())});
  return {reduced(call, call.apply(measure, {d}), "self")};
}

TfName in_top_k(TfCall& call, const TfName& k) {
  return call.out.add("InTopKV2", {call.value("predictions", kFloat32), call.value("labels", kInt64), k},
                      kInt64);
}

}  // namespace

void add_loss_ops(TfOps& ops) {
  ops["belfry::sparse_softmax_cross_entropy"] = [](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    const int64_t rank = call.rank("logits");
    const TfName logits = call.value("logits"), labels = call.value("labels", kInt64);
    const TfNames flat = rank == 2 ? TfNames{logits, labels}
                                   : TfNames{flatten(out, logits, call.dtype(), rank, 0, rank - 1),
                                             out.reshape(labels, kInt64, {-1})};
    const TfName loss =
        out.add("SparseSoftmaxCrossEntropyWithLogits", flat, call.dtype(), {{"Tlabels", DataType::kInt64}});
    return {rank == 2 ? loss : out.add("Reshape", {loss, out.add("Shape", {labels}, kInt64)}, call.dtype())};
  };
  ops["belfry::softmax_cross_entropy"] = [](TfCall& call) -> TfNames {
    const TfName log_prob = call.apply("LogSoftmax", {call.value("logits", call.dtype())});
    const TfName product = call.apply("Mul", {call.value("labels", call.dtype()), log_prob});
    return {call.apply("Neg", {call.apply("Sum", {product, call.out.constant(Ints{-1})})})};
  };
  ops["aten::binary_cross_entropy_with_logits"] = sigmoid_cross_entropy;
  ops["aten::huber_loss"] = huber_loss;
  ops["aten::mse_loss"] = [](TfCall& call) { return difference_loss(call, "Square"); };
  ops["belfry::l1_loss"] = ops["aten::l1_loss"] = [](TfCall& call) { return difference_loss(call, "Abs"); };
  ops["belfry::l2_loss"] = [](TfCall& call) -> TfNames {
    return {call.apply("L2Loss", {call.value("x", call.dtype())})};
  };
  for (const std::string overload : {"", ".tensor"}) {
    const auto inside = [overload](TfCall& call) {
      return in_top_k(
          call, overload.empty() ? call.out.constant(call.scalar("k"), kInt64) : call.value("k", kInt64));
    };
    ops["belfry::in_top_k" + overload] = [inside](TfCall& call) -> TfNames { return {inside(call)}; };
    ops["belfry::not_in_top_k" + overload] = [inside](TfCall& call) -> TfNames {
      return {call.out.cast(call.out.add("LogicalNot", {inside(call)}), kBool, kFloat32)};
    };
  }
}

}  // namespace belfry::internal
