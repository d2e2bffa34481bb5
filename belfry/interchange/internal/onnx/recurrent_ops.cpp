#include <utility>

#include "belfry/interchange/internal/onnx/ops.h"

// Recurrent layers. ONNX has the gates of all its weights in rows, in an order of its own, apart for inputs
// and states, and a dimension for the direction.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

struct Sizes {
  int64_t channels, units;
};
/// Of a kernel [channels + units, columns * units].
Sizes sizes_of(const OnnxCall& call, const char* kernel, int64_t columns) {
  const Shape& shape = call.shape(kernel);
  if (shape[0] == kDynamic || shape[1] == kDynamic) call.unsupported("a kernel of dynamic sizes");
  const int64_t units = shape[1] / columns;
  return {shape[0] - units, units};
}

OnnxName concat(OnnxBuilder& out, const OnnxNames& parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : out.add("Concat", parts, {{"axis", axis}});
}
OnnxNames split(OnnxBuilder& out, const OnnxName& x, const Ints& sizes, int64_t axis) {
  if (sizes.size() == 1) return {x};
  return out.add_multi("Split", {x, out.constant(sizes)}, sizes.size(), {{"axis", axis}});
}

/// The columns of a kernel or bias along `axis`, cut into parts of `units` and put into `order`.
OnnxNames gates_of(OnnxBuilder& out, const OnnxName& x, int64_t units, const Ints& order, int64_t axis) {
  const OnnxNames parts = split(out, x, Ints(order.size(), units), axis);
  OnnxNames result;
  for (int64_t i : order) result.push_back(parts[static_cast<size_t>(i)]);
  return result;
}

/// W and R, [1, gates * units, channels or units], of columns in ONNX's order.
std::pair<OnnxName, OnnxName> weights_of(OnnxBuilder& out, const OnnxName& columns, const Sizes& sizes) {
  const OnnxNames parts = split(out, columns, {sizes.channels, sizes.units}, 0);
  return {out.unsqueeze(out.transpose(parts[0], {1, 0}), {0}),
          out.unsqueeze(out.transpose(parts[1], {1, 0}), {0})};
}
/// B, [1, 2 * gates * units]: ours for the inputs, zeros for the states.
OnnxName bias_of(OnnxBuilder& out, const OnnxNames& parts, int64_t elements, DType dtype) {
  const OnnxName all = concat(out, parts, 0);
  const OnnxName none = out.add("Expand", {out.constant(0, dtype), out.constant(Ints{elements})});
  return out.unsqueeze(concat(out, {all, none}, 0), {0});
}

OnnxName lengths_of(const OnnxCall& call) {
  return call.tensor("lengths").defined() ? call.value("lengths", kInt32) : "";
}
OnnxName state_of(OnnxCall& call, const char* argument) {
  return call.tensor(argument).defined() ? call.out.unsqueeze(call.value(argument), {0}) : "";
}
/// `y` [1, N, units] without its direction. ONNX Runtime gives zeros for a sequence of length 0.
OnnxName last_state(OnnxCall& call, const OnnxName& y, const char* first) {
  OnnxBuilder& out = call.out;
  const OnnxName last = out.squeeze(y, {0});
  if (!call.tensor("lengths").defined() || !call.tensor(first).defined()) return last;
  const OnnxName runs = out.add("Greater", {call.value("lengths", kInt64), out.constant(0, kInt64)});
  return out.add("Where", {out.unsqueeze(runs, {1}), last, call.value(first)});
}
OnnxAttributes attributes_of(const OnnxCall& call, int64_t units) {
  return {{"hidden_size", units}, {"direction", call.flag("reverse") ? "reverse" : "forward"}};
}

OnnxNames lstm(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const Sizes sizes = sizes_of(call, "kernel", 4);
  const DType dtype = call.result().dtype;
  const Ints order = {0, 3, 2, 1};  // input, output, forget, candidate
  const OnnxName columns = concat(out, gates_of(out, call.value("kernel"), sizes.units, order, 1), 1);
  OnnxNames bias = gates_of(out, call.value("bias"), sizes.units, order, 0);
  bias[2] = out.add("Add", {bias[2], out.constant(call.number("forget_bias"), dtype)});
  const auto [w, r] = weights_of(out, columns, sizes);
  OnnxNames inputs{call.value("x"),
                   w,
                   r,
                   bias_of(out, bias, 4 * sizes.units, dtype),
                   lengths_of(call),
                   state_of(call, "first_output"),
                   state_of(call, "first_cell")};
  while (inputs.back().empty()) inputs.pop_back();
  const OnnxNames y = out.add_multi("LSTM", inputs, 3, attributes_of(call, sizes.units));
  return {out.squeeze(y[0], {1}), last_state(call, y[2], "first_cell"),
          last_state(call, y[1], "first_output")};
}

OnnxNames gru(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const Sizes sizes = sizes_of(call, "candidate_kernel", 1);
  OnnxNames columns = gates_of(out, call.value("gates_kernel"), sizes.units, {1, 0}, 1);  // update, reset
  columns.push_back(call.value("candidate_kernel"));
  OnnxNames bias = gates_of(out, call.value("gates_bias"), sizes.units, {1, 0}, 0);
  bias.push_back(call.value("candidate_bias"));
  const auto [w, r] = weights_of(out, concat(out, columns, 1), sizes);
  OnnxNames inputs{call.value("x"),
                   w,
                   r,
                   bias_of(out, bias, 3 * sizes.units, call.result().dtype),
                   lengths_of(call),
                   state_of(call, "first")};
  while (inputs.back().empty()) inputs.pop_back();
  const OnnxNames y = out.add_multi("GRU", inputs, 2, attributes_of(call, sizes.units));
  return {out.squeeze(y[0], {1}), last_state(call, y[1], "first")};
}

}  // namespace

void add_recurrent_ops(OnnxOps& ops) {
  ops["belfry::lstm"] = lstm;
  ops["belfry::gru"] = gru;
}

}  // namespace belfry::internal
