#include "belfry/interchange/internal/onnx/ops.h"

// Losses and scores, for graphs whose outputs are an evaluation's.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// Along the last of `rank` axes. ONNX Runtime keeps an axis of -1 where there are no elements.
OnnxName sum_last(OnnxBuilder& out, const OnnxName& x, int64_t rank) {
  return out.add("ReduceSum", {x, out.constant(Ints{rank - 1})}, {{"keepdims", int64_t{0}}});
}

/// x[..., labels]
OnnxName pick(OnnxCall& call, const OnnxName& x, const char* labels) {
  OnnxBuilder& out = call.out;
  const OnnxName indices = out.unsqueeze(call.value(labels, kInt64), {call.rank(labels)});
  return out.add("GatherElements", {x, indices}, {{"axis", int64_t{-1}}});
}

OnnxNames sparse_softmax_cross_entropy(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const OnnxName log_prob = out.add("LogSoftmax", {call.value("logits")}, {{"axis", int64_t{-1}}});
  return {out.squeeze(out.add("Neg", {pick(call, log_prob, "labels")}), {call.rank("labels")})};
}

OnnxNames softmax_cross_entropy(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName log_prob = out.add("LogSoftmax", {call.value("logits", dtype)}, {{"axis", int64_t{-1}}});
  return {out.add(
      "Neg", {sum_last(out, out.add("Mul", {call.value("labels", dtype), log_prob}), call.rank("logits"))})};
}

/// ATen's reductions: none, the mean, the sum.
OnnxName reduced(OnnxCall& call, const OnnxName& loss) {
  const int64_t reduction = call.integer("reduction");
  if (reduction == 0) return loss;
  return call.out.add(reduction == 1 ? "ReduceMean" : "ReduceSum", {loss}, {{"keepdims", int64_t{0}}});
}

/// (1 - z) * x + w * (log(1 + exp(-|x|)) + max(-x, 0)), where w is 1 + (positive weight - 1) * z
OnnxNames sigmoid_cross_entropy(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName x = call.value("self", dtype), z = call.value("target", dtype);
  const OnnxName one = out.constant(1, dtype), flipped = out.add("Neg", {x});
  const OnnxName linear = out.add("Mul", {out.add("Sub", {one, z}), x});
  OnnxName log = out.add(
      "Add", {out.add("Softplus", {out.add("Neg", {out.add("Abs", {x})})}), out.add("Relu", {flipped})});
  if (call.tensor("pos_weight").defined()) {
    const OnnxName more = out.add("Sub", {call.value("pos_weight", dtype), one});
    log = out.add("Mul", {out.add("Add", {out.add("Mul", {more, z}), one}), log});
  }
  OnnxName loss = out.add("Add", {linear, log});
  if (call.tensor("weight").defined()) loss = out.add("Mul", {loss, call.value("weight", dtype)});
  return {reduced(call, loss)};
}

OnnxNames huber_loss(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const double delta = call.number("delta");
  const OnnxName d = out.add("Abs", {out.add("Sub", {call.value("self"), call.value("target")})});
  const OnnxName half = out.constant(0.5, dtype), bound = out.constant(delta, dtype);
  const OnnxName near = out.add("Mul", {out.add("Mul", {d, d}), half});
  const OnnxName far = out.add("Mul", {out.add("Sub", {d, out.constant(delta / 2, dtype)}), bound});
  return {reduced(call, out.add("Where", {out.add("Less", {d, bound}), near, far}))};
}

OnnxNames difference_loss(OnnxCall& call, bool squared) {
  const DType dtype = call.result().dtype;
  const OnnxName d = call.out.add("Sub", {call.value("self", dtype), call.value("target", dtype)});
  return {reduced(call, squared ? call.out.add("Mul", {d, d}) : call.out.add("Abs", {d}))};
}

/// Fewer than k scores are larger than the label's, all of them are finite, and the label is one of them.
OnnxName in_top_k(OnnxCall& call, const OnnxName& k) {
  OnnxBuilder& out = call.out;
  const OnnxName scores = call.value("predictions"), labels = call.value("labels", kInt64);
  const OnnxName zero = out.constant(0, kInt64), one = out.constant(1, kInt64);
  const OnnxName last = out.add("Sub", {out.squeeze(out.sizes(scores, 1, 2), {0}), one});
  const OnnxName inside = out.add("Min", {out.add("Max", {labels, zero}), last});
  const OnnxName score =
      out.add("GatherElements", {scores, out.unsqueeze(inside, {1})}, {{"axis", int64_t{1}}});
  const OnnxName rank = sum_last(out, out.cast(out.add("Greater", {scores, score}), kBool, kInt64), 2);
  const OnnxName within = out.add("Less", {rank, k});
  const OnnxName valid = out.add("Equal", {inside, labels});
  if (!c10::isFloatingType(call.dtype("predictions"))) return out.add("And", {within, valid});
  const OnnxName difference = out.add("Sub", {scores, scores});
  const OnnxName broken = sum_last(out, out.cast(out.add("IsNaN", {difference}), kBool, kInt64), 2);
  const OnnxName finite = out.add("Equal", {broken, zero});
  return out.add("And", {out.add("And", {within, finite}), valid});
}

}  // namespace

void add_loss_ops(OnnxOps& ops) {
  ops["belfry::sparse_softmax_cross_entropy"] = sparse_softmax_cross_entropy;
  ops["belfry::softmax_cross_entropy"] = softmax_cross_entropy;
  ops["aten::binary_cross_entropy_with_logits"] = sigmoid_cross_entropy;
  ops["aten::huber_loss"] = huber_loss;
  ops["aten::mse_loss"] = [](OnnxCall& call) { return difference_loss(call, /*squared=*/true); };
  ops["belfry::l1_loss"] =
      ops["aten::l1_loss"] = [](OnnxCall& call) { return difference_loss(call, /*squared=*/false); };
  ops["belfry::l2_loss"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName sum =
        call.out.add("ReduceSumSquare", {call.value("x", call.result().dtype)}, {{"keepdims", int64_t{0}}});
    return {call.out.add("Mul", {sum, call.out.constant(0.5, call.result().dtype)})};
  };
  for (const std::string overload : {"", ".tensor"}) {
    const auto inside = [overload](OnnxCall& call) {
      return in_top_k(
          call, overload.empty() ? call.out.constant(call.scalar("k"), kInt64) : call.value("k", kInt64));
    };
    ops["belfry::in_top_k" + overload] = [inside](OnnxCall& call) -> OnnxNames { return {inside(call)}; };
    ops["belfry::not_in_top_k" + overload] = [inside](OnnxCall& call) -> OnnxNames {
      return {call.out.cast(call.out.add("Not", {inside(call)}), kBool, kFloat32)};
    };
  }
}

}  // namespace belfry::internal
