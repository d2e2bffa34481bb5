#include "belfry/export/internal/onnx_ops.h"

// Losses and scores, for graphs whose outputs are an evaluation's.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

OnnxName sum_last(OnnxBuilder& out, const OnnxName& x) {
  return out.add("ReduceSum", {x, out.constant(Ints{-1})}, {{"keepdims", int64_t{0}}});
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
  return {out.add("Neg", {sum_last(out, out.add("Mul", {call.value("labels", dtype), log_prob}))})};
}

/// max(x, 0) - x * z + log(1 + exp(-|x|))
OnnxNames sigmoid_cross_entropy(OnnxCall& call) {
  if (call.tensor("weight").defined() || call.tensor("pos_weight").defined() ||
      call.integer("reduction") != 0)
    call.unsupported("a cross entropy with weights or a reduction");
  OnnxBuilder& out = call.out;
  const OnnxName x = call.value("self"), z = call.value("target", call.dtype("self"));
  const OnnxName linear = out.add("Sub", {out.add("Relu", {x}), out.add("Mul", {x, z})});
  return {out.add("Add", {linear, out.add("Softplus", {out.add("Neg", {out.add("Abs", {x})})})})};
}

OnnxNames huber_loss(OnnxCall& call) {
  if (call.integer("reduction") != 0) call.unsupported("a huber_loss with a reduction");
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const double delta = call.number("delta");
  const OnnxName d = out.add("Abs", {out.add("Sub", {call.value("self"), call.value("target")})});
  const OnnxName half = out.constant(0.5, dtype), bound = out.constant(delta, dtype);
  const OnnxName near = out.add("Mul", {out.add("Mul", {d, d}), half});
  const OnnxName far = out.add("Mul", {out.add("Sub", {d, out.constant(delta / 2, dtype)}), bound});
  return {out.add("Where", {out.add("Less", {d, bound}), near, far})};
}

/// Fewer than k scores are larger than the label's, and all of them are finite.
OnnxName in_top_k(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const OnnxName scores = call.value("predictions");
  const OnnxName larger = out.add("Greater", {scores, pick(call, scores, "labels")});
  const OnnxName rank = sum_last(out, out.cast(larger, kBool, kInt64));
  const OnnxName within = out.add("Less", {rank, out.constant(call.scalar("k"), kInt64)});
  const OnnxName difference = out.add("Sub", {scores, scores});
  const OnnxName broken = sum_last(out, out.cast(out.add("IsNaN", {difference}), kBool, kInt64));
  return out.add("And", {within, out.add("Equal", {broken, out.constant(0, kInt64)})});
}

}  // namespace

void add_loss_ops(OnnxOps& ops) {
  ops["belfry::sparse_softmax_cross_entropy"] = sparse_softmax_cross_entropy;
  ops["belfry::softmax_cross_entropy"] = softmax_cross_entropy;
  ops["aten::binary_cross_entropy_with_logits"] = sigmoid_cross_entropy;
  ops["aten::huber_loss"] = huber_loss;
  ops["belfry::l2_loss"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName sum = call.out.add("ReduceSumSquare", {call.value("x")}, {{"keepdims", int64_t{0}}});
    return {call.out.add("Mul", {sum, call.out.constant(0.5, call.result().dtype)})};
  };
  ops["belfry::in_top_k"] = [](OnnxCall& call) -> OnnxNames { return {in_top_k(call)}; };
  ops["belfry::not_in_top_k"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.cast(call.out.add("Not", {in_top_k(call)}), kBool, kFloat32)};
  };
}

}  // namespace belfry::internal
