#include <c10/core/Scalar.h>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Recurrent layers. TensorFlow has the LSTM over all steps as one operator, without lengths and backwards:
// sequences are turned around before and after it. Of the GRU it has no such operator for the CPU that takes
// any length, so that its steps are spelt out.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// The first lengths[n] steps of each sequence of `x` [T, N, ...] in opposite order; all of them where there
/// are no lengths.
TfName turned(TfCall& call, const TfName& x) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  if (!call.tensor("lengths").defined())
    return out.add("ReverseV2", {x, out.constant(Ints{0})}, dtype, {{"Tidx", tf_dtype(kInt32)}});
  return out.add("ReverseSequence", {x, call.value("lengths", kInt32)}, dtype,
                 {{"Tlen", tf_dtype(kInt32)}, {"seq_dim", int64_t{0}}, {"batch_dim", int64_t{1}}});
}

/// Element `index` of the first dimension, of `rank` dimensions.
TfName at_step(TfCall& call, const TfName& x, int64_t index, size_t rank) {
  GraphDefBuilder& out = call.out;
  Ints begin(rank, 0), size(rank, -1);
  begin[0] = index, size[0] = 1;
  const TfName one = out.add("Slice", {x, out.constant(begin), out.constant(size)}, call.dtype(),
                             {{"Index", tf_dtype(kInt32)}});
  return out.add("Squeeze", {one}, call.dtype(), {{"squeeze_dims", Ints{0}}});
}

/// Numbers [N, units] of the dtype of the result.
TfName zeros_like_state(TfCall& call, int64_t units) {
  GraphDefBuilder& out = call.out;
  const TfName sizes =
      out.concat({out.sizes(call.value("x"), call.dtype(), 1, 2), out.constant(Ints{units})}, kInt32, 0);
  return out.add("Fill", {sizes, call.literal(0)}, call.dtype(), {{"index_type", tf_dtype(kInt32)}});
}
TfName state_or_zeros(TfCall& call, const char* argument, int64_t units) {
  return call.tensor(argument).defined() ? call.value(argument) : zeros_like_state(call, units);
}

/// Whether each sequence has a step: bool [N, 1] of the step `t`, or [T, N, 1] of all, a list.
TfName has_steps(TfCall& call, const TfName& steps) {
  GraphDefBuilder& out = call.out;
  const TfName lengths = out.reshape(call.value("lengths", kInt32), kInt32, {-1, 1});
  return out.add("Greater", {lengths, steps}, kInt32);
}

/// The state after the last step of each sequence, of all states `x` [T, N, units].
TfName last_of(TfCall& call, const TfName& x, const TfName& first) {
  if (!call.tensor("lengths").defined()) return at_step(call, turned(call, x), 0, 3);
  return call.apply("SelectV2", {has_steps(call, call.out.constant(c10::Scalar(0), kInt32)),
                                 at_step(call, turned(call, x), 0, 3), first});
}

int64_t static_units(const TfCall& call, const char* bias, int64_t columns) {
  const int64_t size = call.shape(bias)[0];
  if (size == kDynamic) call.unsupported("weights of dynamic sizes");
  return size / columns;
}

TfNames lstm(TfCall& call) {
  GraphDefBuilder& out = call.out;
  if (call.dtype() != kFloat32 && call.dtype() != kFloat16)
    call.unsupported("an LSTM of " + to_string(call.dtype()));
  const int64_t units = static_units(call, "bias", 4);
  const TfName cell = state_or_zeros(call, "first_cell", units);
  const TfName output = state_or_zeros(call, "first_output", units);
  const TfName no_peephole = out.add("Fill", {out.constant(Ints{units}), call.literal(0)}, call.dtype(),
                                     {{"index_type", tf_dtype(kInt32)}});
  const bool reverse = call.flag("reverse");
  const TfName x = reverse ? turned(call, call.value("x")) : call.value("x");
  const TfName steps = out.cast(out.reshape(out.sizes(x, call.dtype(), 0, 1), kInt32, {}), kInt32, kInt64);
  const TfNames y = out.add_multi("BlockLSTM",
                                  {steps, x, cell, output, call.value("kernel"), no_peephole, no_peephole,
                                   no_peephole, call.value("bias")},
                                  7,
                                  {{"T", tf_dtype(call.dtype())},
                                   {"forget_bias", static_cast<float>(call.number("forget_bias"))},
                                   {"cell_clip", -1.0F},
                                   {"use_peephole", false}});
  const TfName last_cell = last_of(call, y[1], cell), last_output = last_of(call, y[6], output);
  TfName outputs = reverse ? turned(call, y[6]) : y[6];
  if (call.tensor("lengths").defined()) {
    const TfName all = out.add("Range",
                               {out.constant(c10::Scalar(0), kInt32), out.cast(steps, kInt64, kInt32),
                                out.constant(c10::Scalar(1), kInt32)},
                               {{"Tidx", tf_dtype(kInt32)}});
    const TfName running = has_steps(call, out.reshape(all, kInt32, {-1, 1, 1}));
    outputs = call.apply("SelectV2", {running, outputs, call.literal(0)});
  }
  return {outputs, last_cell, last_output};
}

TfName product(TfCall& call, const TfName& x, const TfName& h, const char* kernel, const char* bias) {
  const TfName both = call.out.concat({x, h}, call.dtype(), 1);
  return call.apply("BiasAdd", {call.apply("MatMul", {both, call.value(kernel)}), call.value(bias)});
}

TfNames gru(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const int64_t time = call.shape("x")[0];
  if (time == kDynamic || time == 0) call.unsupported("a GRU of a dynamic number of steps, or of none");
  const int64_t units = static_units(call, "candidate_bias", 1);
  TfName h = state_or_zeros(call, "first", units);
  TfNames outputs(static_cast<size_t>(time));
  for (int64_t i = 0; i < time; ++i) {
    const int64_t t = call.flag("reverse") ? time - 1 - i : i;
    const TfName x = at_step(call, call.value("x"), t, 3);
    const TfName both = call.apply("Sigmoid", {product(call, x, h, "gates_kernel", "gates_bias")});
    const TfNames gates = out.add_multi("Split", {out.axis(1), both}, 2,
                                        {{"T", tf_dtype(call.dtype())}, {"num_split", int64_t{2}}});
    const TfName candidate = call.apply(
        "Tanh", {product(call, x, call.apply("Mul", {gates[0], h}), "candidate_kernel", "candidate_bias")});
    const TfName moved = call.apply("Mul", {gates[1], call.apply("Sub", {h, candidate})});
    const TfName next = call.apply("AddV2", {candidate, moved});
    TfName& output = outputs[static_cast<size_t>(t)] = next;
    if (call.tensor("lengths").defined()) {
      const TfName running = has_steps(call, out.constant(c10::Scalar(t), kInt32));
      output = call.apply("SelectV2", {running, next, call.literal(0)});
      h = call.apply("SelectV2", {running, next, h});
    } else {
      h = next;
    }
  }
  return {out.add("Pack", outputs, call.dtype(), {{"N", time}, {"axis", int64_t{0}}}), h};
}

}  // namespace

void add_recurrent_ops(TfOps& ops) {
  ops["belfry::lstm"] = lstm;
  ops["belfry::gru"] = gru;
}

}  // namespace belfry::internal
