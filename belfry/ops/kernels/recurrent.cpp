#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sigmoid_backward.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tanh_backward.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <tuple>

#include "belfry/graph/below_autograd.h"

// Recurrent layers over all steps as one operator. The products with the inputs of all steps are one, and so
// are the products that make the gradients of the weights; what is left of a step is a product with the
// state and few functions of its elements, in memory that is there already.
//
// Each layer has three forms: one of ATen's operators, which its autograd differentiates (twice, if asked);
// one that works in place, for runs without gradients, and keeps the gates; and the derivative of that. Steps
// at or after the length of a sequence leave its state as it is, and give zeros.

namespace belfry {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

bool wants_gradient(std::initializer_list<OptionalTensor> tensors) {
  if (!at::GradMode::is_enabled()) return false;
  for (const OptionalTensor& tensor : tensors) {
    if (tensor && tensor->requires_grad()) return true;
  }
  return false;
}

/// The sizes of a layer on x [T, N, C], checked.
struct Sizes {
  int64_t time, batch, channels, units;

  /// `kernel`: [C + units, columns * units], of the layer `who`.
  Sizes(const Tensor& x, const Tensor& kernel, int64_t columns) {
    TORCH_CHECK(x.dim() == 3, "expected inputs [time, batch, channels], got ", x.sizes());
    TORCH_CHECK(at::isFloatingType(x.scalar_type()), "expected inputs of floating-point numbers, got ",
                x.scalar_type());
    time = x.size(0), batch = x.size(1), channels = x.size(2);
    TORCH_CHECK(kernel.dim() == 2 && kernel.size(1) > 0 && kernel.size(1) % columns == 0 &&
                    kernel.size(0) == channels + kernel.size(1) / columns,
                "expected a kernel [channels + units, ", columns, " * units] for inputs of ", channels,
                " channels, got ", kernel.sizes());
    units = kernel.size(1) / columns;
  }
};

void check(const char* what, const OptionalTensor& tensor, at::IntArrayRef sizes, const Tensor& x) {
  if (!tensor) return;
  TORCH_CHECK(tensor->sizes() == sizes && tensor->scalar_type() == x.scalar_type(), "expected ", what, " ",
              sizes, " of ", x.scalar_type(), ", got ", tensor->sizes(), " of ", tensor->scalar_type());
}
void check_lengths(const OptionalTensor& lengths, int64_t batch) {
  if (!lengths) return;
  TORCH_CHECK(lengths->dim() == 1 && lengths->size(0) == batch &&
                  at::isIntegralType(lengths->scalar_type(), /*includeBool=*/false),
              "expected a length, an integer, for each of ", batch, " sequences, got ",
              lengths->scalar_type(), " ", lengths->sizes());
}

/// The state before the first step.
Tensor first_state(const OptionalTensor& state, const Tensor& x, int64_t units) {
  return state ? *state : at::zeros({x.size(1), units}, x.options());
}

/// The first two dimensions of [T, N, C] as one.
Tensor rows_of(const Tensor& x) {
  return x.reshape({x.size(0) * x.size(1), x.size(2)});
}
/// x [T, N, C] w + b.
Tensor product_of_steps(const Tensor& x, const Tensor& w, const Tensor& b) {
  return at::addmm(b, rows_of(x), w).view({x.size(0), x.size(1), w.size(1)});
}
void product_of_steps_out(const Tensor& x, const Tensor& w, const Tensor& b, Tensor& out) {
  Tensor rows = out.view({x.size(0) * x.size(1), out.size(2)});
  at::addmm_out(rows, b, rows_of(x), w);
}

/// Which of the sequences have a step `t`: bool [N, 1].
Tensor has_step(const Tensor& lengths, int64_t t) {
  return lengths.gt(t).unsqueeze(1);
}

/// The steps of a layer in its order.
template <typename Step>
void for_each_step(int64_t time, bool reverse, Step step) {
  for (int64_t i = 0; i < time; ++i) step(reverse ? time - 1 - i : i);
}

/// The state [T, N, H] that each step starts from, where `outputs` are the states after them.
Tensor states_before(const Tensor& outputs, const OptionalTensor& first, const OptionalTensor& lengths,
                     bool reverse) {
  const int64_t time = outputs.size(0);
  if (time == 0) return outputs;
  const Tensor start = first_state(first, outputs, outputs.size(2)).unsqueeze(0);
  if (!reverse) return at::cat({start, outputs.narrow(0, 0, time - 1)});
  const Tensor shifted = at::cat({outputs.narrow(0, 1, time - 1), start});
  if (!lengths || !first) return shifted;
  const Tensor step = at::arange(1, time + 1, lengths->options()).view({time, 1, 1});
  return at::where(step.lt(lengths->view({1, -1, 1})), shifted, start);
}

using Row = std::array<Tensor, 4>;

/// Four parts of equal width of a tensor of two dimensions.
Row quarters(const Tensor& x) {
  const int64_t units = x.size(1) / 4;
  return {x.narrow(1, 0, units), x.narrow(1, units, units), x.narrow(1, 2 * units, units),
          x.narrow(1, 3 * units, units)};
}

// LSTM, with TensorFlow's order of gates: input, candidate ("j"), forget, output.

Tensor with_forget_bias(const Tensor& bias, double forget_bias) {
  if (forget_bias == 0) return bias;
  const int64_t units = bias.size(0) / 4;
  return at::cat({bias.narrow(0, 0, 2 * units), bias.narrow(0, 2 * units, units) + forget_bias,
                  bias.narrow(0, 3 * units, units)});
}

Sizes check_lstm(const Tensor& x, const Tensor& kernel, const Tensor& bias, const OptionalTensor& cell,
                 const OptionalTensor& output, const OptionalTensor& lengths) {
  const Sizes s(x, kernel, 4);
  check("a kernel", kernel, kernel.sizes(), x);
  check("a bias", bias, {4 * s.units}, x);
  check("a first cell", cell, {s.batch, s.units}, x);
  check("a first output", output, {s.batch, s.units}, x);
  check_lengths(lengths, s.batch);
  return s;
}

std::tuple<Tensor&, Tensor&, Tensor&, Tensor&, Tensor&> lstm_with_gates_out(
    const Tensor& x, const Tensor& kernel, const Tensor& bias, const OptionalTensor& first_cell,
    const OptionalTensor& first_output, const OptionalTensor& lengths, double forget_bias, bool reverse,
    Tensor& outputs, Tensor& last_cell, Tensor& last_output, Tensor& gates, Tensor& cells) {
  const BelowAutograd below;
  const Sizes s = check_lstm(x, kernel, bias, first_cell, first_output, lengths);
  const Tensor state_kernel = kernel.narrow(0, s.channels, s.units);
  product_of_steps_out(x, kernel.narrow(0, 0, s.channels), with_forget_bias(bias, forget_bias), gates);
  Tensor c = first_state(first_cell, x, s.units), h = first_state(first_output, x, s.units);
  bool is_zero = !first_output;
  for_each_step(s.time, reverse, [&](int64_t t) {
    Tensor all = gates.select(0, t), next_c = cells.select(0, t), next_h = outputs.select(0, t);
    if (!is_zero) all.addmm_(h, state_kernel);
    is_zero = false;
    const auto [i, j, f, o] = quarters(all);
    i.sigmoid_();
    j.tanh_();
    all.narrow(1, 2 * s.units, 2 * s.units).sigmoid_();
    at::mul_out(next_c, c, f);
    next_c.addcmul_(i, j);
    at::tanh_out(next_h, next_c);
    next_h.mul_(o);
    if (lengths) {
      const Tensor running = has_step(*lengths, t);
      next_c.copy_(at::where(running, next_c, c));
      h = at::where(running, next_h, h);
      next_h.masked_fill_(running.logical_not(), 0);
    } else {
      h = next_h;
    }
    c = next_c;
  });
  last_cell.copy_(c);
  last_output.copy_(h);
  return {outputs, last_cell, last_output, gates, cells};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_with_gates_meta(
    const Tensor& x, const Tensor& kernel, const Tensor& bias, const OptionalTensor& first_cell,
    const OptionalTensor& first_output, const OptionalTensor& lengths, double, bool) {
  const Sizes s = check_lstm(x, kernel, bias, first_cell, first_output, lengths);
  const auto state = [&] { return at::empty({s.batch, s.units}, x.options()); };
  const auto states = [&] { return at::empty({s.time, s.batch, s.units}, x.options()); };
  return {states(), state(), state(), at::empty({s.time, s.batch, 4 * s.units}, x.options()), states()};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_with_gates(
    const Tensor& x, const Tensor& kernel, const Tensor& bias, const OptionalTensor& first_cell,
    const OptionalTensor& first_output, const OptionalTensor& lengths, double forget_bias, bool reverse) {
  auto results =
      lstm_with_gates_meta(x, kernel, bias, first_cell, first_output, lengths, forget_bias, reverse);
  auto& [outputs, cell, output, gates, cells] = results;
  lstm_with_gates_out(x, kernel, bias, first_cell, first_output, lengths, forget_bias, reverse, outputs, cell,
                      output, gates, cells);
  return results;
}

/// In operators that autograd knows.
std::tuple<Tensor, Tensor, Tensor> recorded_lstm(const Sizes& s, const Tensor& x, const Tensor& kernel,
                                                 const Tensor& bias, Tensor c, Tensor h,
                                                 const OptionalTensor& lengths, bool reverse) {
  const Tensor products = product_of_steps(x, kernel.narrow(0, 0, s.channels), bias);
  const Tensor state_kernel = kernel.narrow(0, s.channels, s.units);
  std::vector<Tensor> outputs(static_cast<size_t>(s.time));
  for_each_step(s.time, reverse, [&](int64_t t) {
    const auto [i, j, f, o] = quarters(at::addmm(products.select(0, t), h, state_kernel));
    const Tensor next_c = f.sigmoid() * c + i.sigmoid() * j.tanh(), next_h = o.sigmoid() * next_c.tanh();
    Tensor& output = outputs[static_cast<size_t>(t)];
    if (lengths) {
      const Tensor running = has_step(*lengths, t);
      output = at::where(running, next_h, 0);
      c = at::where(running, next_c, c);
      h = at::where(running, next_h, h);
    } else {
      c = next_c;
      output = h = next_h;
    }
  });
  return {s.time > 0 ? at::stack(outputs) : at::zeros({0, s.batch, s.units}, x.options()), c, h};
}

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& x, const Tensor& kernel, const Tensor& bias,
                                        const OptionalTensor& first_cell, const OptionalTensor& first_output,
                                        const OptionalTensor& lengths, double forget_bias, bool reverse) {
  if (wants_gradient({x, kernel, bias, first_cell, first_output})) {
    const Sizes s = check_lstm(x, kernel, bias, first_cell, first_output, lengths);
    return recorded_lstm(s, x, kernel, with_forget_bias(bias, forget_bias),
                         first_state(first_cell, x, s.units), first_state(first_output, x, s.units), lengths,
                         reverse);
  }
  const auto [outputs, cell, output, gates, cells] =
      lstm_with_gates(x, kernel, bias, first_cell, first_output, lengths, forget_bias, reverse);
  return {outputs, cell, output};
}
std::tuple<Tensor, Tensor, Tensor> lstm_meta(const Tensor& x, const Tensor& kernel, const Tensor& bias,
                                             const OptionalTensor& first_cell,
                                             const OptionalTensor& first_output,
                                             const OptionalTensor& lengths, double forget_bias,
                                             bool reverse) {
  const auto [outputs, cell, output, gates, cells] =
      lstm_with_gates_meta(x, kernel, bias, first_cell, first_output, lengths, forget_bias, reverse);
  return {outputs, cell, output};
}

/// The gradients by the products of the gates, and by the first states, of which the layer's other gradients
/// are products: see weight_gradients.
struct StateGradients {
  Tensor cell, output;
};

StateGradients lstm_gates_backprop(const OptionalTensor& by_outputs, Tensor dc, Tensor dh, const Sizes& s,
                                   const Tensor& state_kernel, const OptionalTensor& first_cell,
                                   const OptionalTensor& lengths, const Tensor& gates, const Tensor& cells,
                                   bool reverse, const Tensor& d_gates) {
  const Tensor start = first_state(first_cell, cells, s.units);
  Tensor part = at::empty({s.batch, s.units}, gates.options());
  const Tensor state_kernel_t = state_kernel.t();
  for_each_step(s.time, !reverse, [&](int64_t t) {
    const bool is_first = t == (reverse ? s.time - 1 : 0);
    const Tensor& c_before = is_first ? start : cells.select(0, reverse ? t + 1 : t - 1);
    const auto [i, j, f, o] = quarters(gates.select(0, t));
    Tensor d_all = d_gates.select(0, t);
    auto [di, dj, df, d_o] = quarters(d_all);
    const Tensor old_dc = lengths ? dc.clone() : Tensor(), old_dh = lengths ? dh.clone() : Tensor();
    if (by_outputs) dh.add_(by_outputs->select(0, t));
    const Tensor activated = cells.select(0, t).tanh();
    at::mul_out(part, dh, activated);
    at::sigmoid_backward_out(d_o, part, o);
    at::mul_out(part, dh, o);
    dc.add_(at::tanh_backward(part, activated));
    at::mul_out(part, dc, j);
    at::sigmoid_backward_out(di, part, i);
    at::mul_out(part, dc, i);
    at::tanh_backward_out(dj, part, j);
    at::mul_out(part, dc, c_before);
    at::sigmoid_backward_out(df, part, f);
    dc.mul_(f);
    if (!lengths) {
      at::mm_out(dh, d_all, state_kernel_t);
      return;
    }
    const Tensor running = has_step(*lengths, t);
    d_all.masked_fill_(running.logical_not(), 0);
    dc.copy_(at::where(running, dc, old_dc));
    at::mm_out(dh, d_all, state_kernel_t);
    dh.copy_(at::where(running, dh, old_dh));
  });
  return {dc, dh};
}

/// The gradients by x, and by the kernel and the bias of `y = [x, h] kernel + bias`, from those by y.
void weight_gradients(const Tensor& d_y, const Tensor& x, const Tensor& h, const Tensor& kernel, Tensor& dx,
                      Tensor& d_kernel, Tensor& d_bias) {
  const int64_t channels = x.size(2), units = h.size(2);
  const Tensor rows = rows_of(d_y);
  Tensor dx_rows = dx.view({rows.size(0), channels});
  at::mm_out(dx_rows, rows, kernel.narrow(0, 0, channels).t());
  Tensor by_x = d_kernel.narrow(0, 0, channels), by_h = d_kernel.narrow(0, channels, units);
  at::mm_out(by_x, rows_of(x).t(), rows);
  at::mm_out(by_h, rows_of(h).t(), rows);
  at::sum_out(d_bias, rows, at::IntArrayRef{0});
}

Tensor clone_or_zeros(const OptionalTensor& gradient, const Sizes& s, const Tensor& x) {
  return gradient ? gradient->clone() : at::zeros({s.batch, s.units}, x.options());
}

std::tuple<Tensor&, Tensor&, Tensor&, Tensor&, Tensor&> lstm_backprop_out(
    const OptionalTensor& by_outputs, const OptionalTensor& by_cell, const OptionalTensor& by_output,
    const Tensor& x, const Tensor& kernel, const OptionalTensor& first_cell,
    const OptionalTensor& first_output, const OptionalTensor& lengths, const Tensor& outputs,
    const Tensor& gates, const Tensor& cells, bool reverse, Tensor& dx, Tensor& d_kernel, Tensor& d_bias,
    Tensor& d_cell, Tensor& d_output) {
  const BelowAutograd below;
  const Sizes s(x, kernel, 4);
  const Tensor d_gates = at::empty(gates.sizes(), gates.options());
  const StateGradients first = lstm_gates_backprop(
      by_outputs, clone_or_zeros(by_cell, s, x), clone_or_zeros(by_output, s, x), s,
      kernel.narrow(0, s.channels, s.units), first_cell, lengths, gates, cells, reverse, d_gates);
  d_cell.copy_(first.cell);
  d_output.copy_(first.output);
  weight_gradients(d_gates, x, states_before(outputs, first_output, lengths, reverse), kernel, dx, d_kernel,
                   d_bias);
  return {dx, d_kernel, d_bias, d_cell, d_output};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_backprop_meta(
    const OptionalTensor&, const OptionalTensor&, const OptionalTensor&, const Tensor& x,
    const Tensor& kernel, const OptionalTensor&, const OptionalTensor&, const OptionalTensor&, const Tensor&,
    const Tensor&, const Tensor&, bool) {
  const Sizes s(x, kernel, 4);
  const auto state = [&] { return at::empty({s.batch, s.units}, x.options()); };
  return {at::empty(x.sizes(), x.options()), at::empty(kernel.sizes(), x.options()),
          at::empty({4 * s.units}, x.options()), state(), state()};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_backprop(
    const OptionalTensor& by_outputs, const OptionalTensor& by_cell, const OptionalTensor& by_output,
    const Tensor& x, const Tensor& kernel, const OptionalTensor& first_cell,
    const OptionalTensor& first_output, const OptionalTensor& lengths, const Tensor& outputs,
    const Tensor& gates, const Tensor& cells, bool reverse) {
  auto results = lstm_backprop_meta(by_outputs, by_cell, by_output, x, kernel, first_cell, first_output,
                                    lengths, outputs, gates, cells, reverse);
  auto& [dx, d_kernel, d_bias, d_cell, d_output] = results;
  lstm_backprop_out(by_outputs, by_cell, by_output, x, kernel, first_cell, first_output, lengths, outputs,
                    gates, cells, reverse, dx, d_kernel, d_bias, d_cell, d_output);
  return results;
}

// GRU, in TensorFlow's form: the reset gate acts on the state before its product with the candidate's kernel.

Sizes check_gru(const Tensor& x, const Tensor& gates_kernel, const Tensor& gates_bias,
                const Tensor& candidate_kernel, const Tensor& candidate_bias, const OptionalTensor& first,
                const OptionalTensor& lengths) {
  const Sizes s(x, gates_kernel, 2);
  check("a kernel of the gates", gates_kernel, gates_kernel.sizes(), x);
  check("a bias of the gates", gates_bias, {2 * s.units}, x);
  check("a kernel of the candidate", candidate_kernel, {s.channels + s.units, s.units}, x);
  check("a bias of the candidate", candidate_bias, {s.units}, x);
  check("a first state", first, {s.batch, s.units}, x);
  check_lengths(lengths, s.batch);
  return s;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> gru_with_gates_meta(
    const Tensor& x, const Tensor& gates_kernel, const Tensor& gates_bias, const Tensor& candidate_kernel,
    const Tensor& candidate_bias, const OptionalTensor& first, const OptionalTensor& lengths, bool) {
  const Sizes s = check_gru(x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first, lengths);
  const auto states = [&](int64_t width) { return at::empty({s.time, s.batch, width}, x.options()); };
  return {states(s.units), at::empty({s.batch, s.units}, x.options()), states(2 * s.units), states(s.units)};
}

/// The outputs, the last state, the gates (reset, update) and the candidates.
std::tuple<Tensor&, Tensor&, Tensor&, Tensor&> gru_with_gates_out(
    const Tensor& x, const Tensor& gates_kernel, const Tensor& gates_bias, const Tensor& candidate_kernel,
    const Tensor& candidate_bias, const OptionalTensor& first, const OptionalTensor& lengths, bool reverse,
    Tensor& outputs, Tensor& last, Tensor& gates, Tensor& candidates) {
  const BelowAutograd below;
  const Sizes s = check_gru(x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first, lengths);
  const Tensor by_gates = gates_kernel.narrow(0, s.channels, s.units);
  const Tensor by_candidate = candidate_kernel.narrow(0, s.channels, s.units);
  product_of_steps_out(x, gates_kernel.narrow(0, 0, s.channels), gates_bias, gates);
  product_of_steps_out(x, candidate_kernel.narrow(0, 0, s.channels), candidate_bias, candidates);
  Tensor h = first_state(first, x, s.units);
  for_each_step(s.time, reverse, [&](int64_t t) {
    Tensor both = gates.select(0, t), candidate = candidates.select(0, t), next = outputs.select(0, t);
    both.addmm_(h, by_gates).sigmoid_();
    candidate.addmm_(h * both.narrow(1, 0, s.units), by_candidate).tanh_();
    at::lerp_out(next, candidate, h, both.narrow(1, s.units, s.units));
    if (!lengths) {
      h = next;
      return;
    }
    const Tensor running = has_step(*lengths, t);
    h = at::where(running, next, h);
    next.masked_fill_(running.logical_not(), 0);
  });
  last.copy_(h);
  return {outputs, last, gates, candidates};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> gru_with_gates(
    const Tensor& x, const Tensor& gates_kernel, const Tensor& gates_bias, const Tensor& candidate_kernel,
    const Tensor& candidate_bias, const OptionalTensor& first, const OptionalTensor& lengths, bool reverse) {
  auto results = gru_with_gates_meta(x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first,
                                     lengths, reverse);
  auto& [outputs, last, gates, candidates] = results;
  gru_with_gates_out(x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first, lengths, reverse,
                     outputs, last, gates, candidates);
  return results;
}

std::tuple<Tensor, Tensor> recorded_gru(const Sizes& s, const Tensor& x, const Tensor& gates_kernel,
                                        const Tensor& gates_bias, const Tensor& candidate_kernel,
                                        const Tensor& candidate_bias, Tensor h, const OptionalTensor& lengths,
                                        bool reverse) {
  const Tensor gates = product_of_steps(x, gates_kernel.narrow(0, 0, s.channels), gates_bias);
  const Tensor candidates = product_of_steps(x, candidate_kernel.narrow(0, 0, s.channels), candidate_bias);
  const Tensor by_gates = gates_kernel.narrow(0, s.channels, s.units);
  const Tensor by_candidate = candidate_kernel.narrow(0, s.channels, s.units);
  std::vector<Tensor> outputs(static_cast<size_t>(s.time));
  for_each_step(s.time, reverse, [&](int64_t t) {
    const Tensor both = at::addmm(gates.select(0, t), h, by_gates).sigmoid();
    const Tensor reset = both.narrow(1, 0, s.units), update = both.narrow(1, s.units, s.units);
    const Tensor candidate = at::addmm(candidates.select(0, t), reset * h, by_candidate).tanh();
    const Tensor next = update * h + (1 - update) * candidate;
    outputs[static_cast<size_t>(t)] = lengths ? at::where(has_step(*lengths, t), next, 0) : next;
    h = lengths ? at::where(has_step(*lengths, t), next, h) : next;
  });
  return {s.time > 0 ? at::stack(outputs) : at::zeros({0, s.batch, s.units}, x.options()), h};
}

std::tuple<Tensor, Tensor> gru(const Tensor& x, const Tensor& gates_kernel, const Tensor& gates_bias,
                               const Tensor& candidate_kernel, const Tensor& candidate_bias,
                               const OptionalTensor& first, const OptionalTensor& lengths, bool reverse) {
  if (wants_gradient({x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first})) {
    const Sizes s = check_gru(x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first, lengths);
    return recorded_gru(s, x, gates_kernel, gates_bias, candidate_kernel, candidate_bias,
                        first_state(first, x, s.units), lengths, reverse);
  }
  const auto [outputs, last, gates, candidates] =
      gru_with_gates(x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first, lengths, reverse);
  return {outputs, last};
}
std::tuple<Tensor, Tensor> gru_meta(const Tensor& x, const Tensor& gates_kernel, const Tensor& gates_bias,
                                    const Tensor& candidate_kernel, const Tensor& candidate_bias,
                                    const OptionalTensor& first, const OptionalTensor& lengths,
                                    bool reverse) {
  const auto [outputs, last, gates, candidates] = gru_with_gates_meta(
      x, gates_kernel, gates_bias, candidate_kernel, candidate_bias, first, lengths, reverse);
  return {outputs, last};
}

using SixTensors = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

SixTensors gru_backprop_meta(const OptionalTensor&, const OptionalTensor&, const Tensor& x,
                             const Tensor& gates_kernel, const Tensor& candidate_kernel,
                             const OptionalTensor&, const OptionalTensor&, const Tensor&, const Tensor&,
                             const Tensor&, bool) {
  const Sizes s(x, gates_kernel, 2);
  return {at::empty(x.sizes(), x.options()),     at::empty(gates_kernel.sizes(), x.options()),
          at::empty({2 * s.units}, x.options()), at::empty(candidate_kernel.sizes(), x.options()),
          at::empty({s.units}, x.options()),     at::empty({s.batch, s.units}, x.options())};
}

/// By x, the kernel and bias of the gates, those of the candidate, and the first state.
SixTensors gru_backprop(const OptionalTensor& by_outputs, const OptionalTensor& by_last, const Tensor& x,
                        const Tensor& gates_kernel, const Tensor& candidate_kernel,
                        const OptionalTensor& first, const OptionalTensor& lengths, const Tensor& outputs,
                        const Tensor& gates, const Tensor& candidates, bool reverse) {
  const BelowAutograd below;
  const Sizes s(x, gates_kernel, 2);
  const Tensor states = states_before(outputs, first, lengths, reverse);
  const Tensor d_gates = at::empty(gates.sizes(), gates.options());
  const Tensor d_candidates = at::empty(candidates.sizes(), candidates.options());
  const Tensor by_gates = gates_kernel.narrow(0, s.channels, s.units).t();
  const Tensor by_candidate = candidate_kernel.narrow(0, s.channels, s.units).t();
  Tensor dh = clone_or_zeros(by_last, s, x);
  for_each_step(s.time, !reverse, [&](int64_t t) {
    const Tensor h = states.select(0, t), candidate = candidates.select(0, t);
    const Tensor reset = gates.select(0, t).narrow(1, 0, s.units);
    const Tensor update = gates.select(0, t).narrow(1, s.units, s.units);
    Tensor d_both = d_gates.select(0, t), d_candidate = d_candidates.select(0, t);
    Tensor d_reset = d_both.narrow(1, 0, s.units), d_update = d_both.narrow(1, s.units, s.units);
    const Tensor dy = by_outputs ? dh + by_outputs->select(0, t) : dh;
    at::sigmoid_backward_out(d_update, dy * (h - candidate), update);
    at::tanh_backward_out(d_candidate, dy * (1 - update), candidate);
    const Tensor d_product = at::mm(d_candidate, by_candidate);  // by reset * h
    at::sigmoid_backward_out(d_reset, d_product * h, reset);
    Tensor before = at::addmm(dy * update + d_product * reset, d_both, by_gates);
    if (lengths) {
      const Tensor running = has_step(*lengths, t), stopped = running.logical_not();
      d_both.masked_fill_(stopped, 0);
      d_candidate.masked_fill_(stopped, 0);
      before = at::where(running, before, dh);
    }
    dh = before;
  });
  auto results = gru_backprop_meta(by_outputs, by_last, x, gates_kernel, candidate_kernel, first, lengths,
                                   outputs, gates, candidates, reverse);
  auto& [dx, d_gates_kernel, d_gates_bias, d_candidate_kernel, d_candidate_bias, d_first] = results;
  weight_gradients(d_gates, x, states, gates_kernel, dx, d_gates_kernel, d_gates_bias);
  Tensor dx_by_candidate = at::empty(x.sizes(), x.options());
  weight_gradients(d_candidates, x, states * gates.narrow(2, 0, s.units), candidate_kernel, dx_by_candidate,
                   d_candidate_kernel, d_candidate_bias);
  dx.add_(dx_by_candidate);
  d_first.copy_(dh);
  return results;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "lstm(Tensor x, Tensor kernel, Tensor bias, Tensor? first_cell, Tensor? first_output, Tensor? lengths, "
      "*, float forget_bias=1, bool reverse=False) -> (Tensor outputs, Tensor cell, Tensor output)",
      lstm);
  m.def(
      "lstm_with_gates(Tensor x, Tensor kernel, Tensor bias, Tensor? first_cell, Tensor? first_output, "
      "Tensor? lengths, *, float forget_bias=1, bool reverse=False) -> (Tensor outputs, Tensor cell, Tensor "
      "output, Tensor gates, Tensor cells)");
  m.def(
      "lstm_with_gates.out(Tensor x, Tensor kernel, Tensor bias, Tensor? first_cell, Tensor? first_output, "
      "Tensor? lengths, *, float forget_bias=1, bool reverse=False, Tensor(a!) outputs, Tensor(b!) cell, "
      "Tensor(c!) output, Tensor(d!) gates, Tensor(e!) cells) -> (Tensor(a!), Tensor(b!), Tensor(c!), "
      "Tensor(d!), Tensor(e!))");
  m.def(
      "lstm_backprop(Tensor? by_outputs, Tensor? by_cell, Tensor? by_output, Tensor x, Tensor kernel, "
      "Tensor? first_cell, Tensor? first_output, Tensor? lengths, Tensor outputs, Tensor gates, Tensor "
      "cells, "
      "*, bool reverse=False) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "lstm_backprop.out(Tensor? by_outputs, Tensor? by_cell, Tensor? by_output, Tensor x, Tensor kernel, "
      "Tensor? first_cell, Tensor? first_output, Tensor? lengths, Tensor outputs, Tensor gates, Tensor "
      "cells, "
      "*, bool reverse=False, Tensor(a!) dx, Tensor(b!) d_kernel, Tensor(c!) d_bias, Tensor(d!) d_cell, "
      "Tensor(e!) d_output) -> (Tensor(a!), Tensor(b!), Tensor(c!), Tensor(d!), Tensor(e!))");
  m.def(
      "gru(Tensor x, Tensor gates_kernel, Tensor gates_bias, Tensor candidate_kernel, Tensor candidate_bias, "
      "Tensor? first, Tensor? lengths, *, bool reverse=False) -> (Tensor outputs, Tensor output)",
      gru);
  m.def(
      "gru_with_gates(Tensor x, Tensor gates_kernel, Tensor gates_bias, Tensor candidate_kernel, Tensor "
      "candidate_bias, Tensor? first, Tensor? lengths, *, bool reverse=False) -> (Tensor outputs, Tensor "
      "output, Tensor gates, Tensor candidates)");
  m.def(
      "gru_with_gates.out(Tensor x, Tensor gates_kernel, Tensor gates_bias, Tensor candidate_kernel, Tensor "
      "candidate_bias, Tensor? first, Tensor? lengths, *, bool reverse=False, Tensor(a!) outputs, Tensor(b!) "
      "output, Tensor(c!) gates, Tensor(d!) candidates) -> (Tensor(a!), Tensor(b!), Tensor(c!), Tensor(d!))");
  m.def(
      "gru_backprop(Tensor? by_outputs, Tensor? by_output, Tensor x, Tensor gates_kernel, Tensor "
      "candidate_kernel, Tensor? first, Tensor? lengths, Tensor outputs, Tensor gates, Tensor candidates, *, "
      "bool reverse=False) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

#define BELFRY_RECURRENT_KERNELS(m)                   \
  m.impl("lstm_with_gates", lstm_with_gates);         \
  m.impl("lstm_with_gates.out", lstm_with_gates_out); \
  m.impl("lstm_backprop", lstm_backprop);             \
  m.impl("lstm_backprop.out", lstm_backprop_out);     \
  m.impl("gru_with_gates", gru_with_gates);           \
  m.impl("gru_with_gates.out", gru_with_gates_out);   \
  m.impl("gru_backprop", gru_backprop)

// For the CPU by its own key, so that compiled steps see that the variants for given memory write themselves.
TORCH_LIBRARY_IMPL(belfry, CPU, m) {
  BELFRY_RECURRENT_KERNELS(m);
}
TORCH_LIBRARY_IMPL(belfry, CUDA, m) {
  BELFRY_RECURRENT_KERNELS(m);
}
#undef BELFRY_RECURRENT_KERNELS

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("lstm", lstm_meta);
  m.impl("lstm_with_gates", lstm_with_gates_meta);
  m.impl("lstm_backprop", lstm_backprop_meta);
  m.impl("gru", gru_meta);
  m.impl("gru_with_gates", gru_with_gates_meta);
  m.impl("gru_backprop", gru_backprop_meta);
}

}  // namespace belfry
