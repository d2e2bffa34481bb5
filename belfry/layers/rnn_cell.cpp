#include "belfry/layers/rnn_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/control_flow.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/recurrent.h"
#include "belfry/ops/state.h"

// Cells of which a whole sequence is one operator run a single step as a sequence of one.

namespace belfry {
namespace {

void check_units(const std::string& who, int64_t units) {
  if (units < 1) throw UsageError(fmt::format("[{}] expected 1 unit or more, got {}", who, units));
}

void check_state(const std::string& who, const RnnState& state, size_t size) {
  if (!state.empty() && state.size() != size) {
    throw UsageError(
        fmt::format("[{}] expected a state of {} tensors, or none, got {}", who, size, state.size()));
  }
}

int64_t channels_of(const std::string& who, const Tensor& x) {
  if (!x.defined() || x.rank() < 2 || x.dim(-1) == kDynamic) {
    throw UsageError(fmt::format("[{}] expected inputs [..., N, C] with a static number of channels, got {}",
                                 who, x.defined() ? describe(x) : "none"));
  }
  return x.dim(-1);
}

/// The variables of a cell, made once for a graph.
template <typename Weights>
class OnceInAGraph {
 public:
  template <typename Make>
  const Weights& get(Make make) const {
    if (!weights_ || graph_.expired() || made_in_ != &default_graph()) {
      weights_ = make();
      made_in_ = &default_graph();
      graph_ = made_in_->lifetime();
    }
    return *weights_;
  }

 private:
  mutable std::optional<Weights> weights_;
  mutable const Graph* made_in_ = nullptr;
  mutable std::weak_ptr<const void> graph_;
};

/// A cell whose sequences are one operator.
class SequenceCell : public RnnCell {
 public:
  SequenceCell(std::string name, int64_t units) : name_(std::move(name)), units_(units) {
    check_units(name_, units);
  }
  int64_t output_size() const override { return units_; }
  RnnStep step(const Tensor& x, const RnnState& state) const override {
    RnnSequence all = run(expand_dims(x, 0), {.first = state});
    return {select(all.outputs, 0), std::move(all.state)};
  }

 protected:
  Variable weight(const char* name, const Shape& shape, DType dtype, const Initializer& initializer) const {
    return get_variable(name, shape, {.dtype = dtype, .initializer = initializer});
  }
  static Tensor state_or_none(const RnnState& state, size_t index) {
    return state.empty() ? Tensor() : state[index];
  }

  std::string name_;
  int64_t units_;
};

class LstmCell : public SequenceCell {
 public:
  LstmCell(const char* name, int64_t units, LSTMCellOptions options)
      : SequenceCell(options.name.value_or(name), units), options_(std::move(options)) {}

  std::vector<int64_t> state_sizes() const override { return {units_, units_}; }
  RnnSequence run(const Tensor& x, const RnnRun& how) const override {
    const int64_t channels = channels_of(name_, x);
    check_state(name_, how.first, 2);
    const Weights& w = weights_.get([&] {
      const VariableScope scope(name_);
      return Weights{weight("kernel", {channels + units_, 4 * units_}, x.dtype(), options_.initializer),
                     weight("bias", {4 * units_}, x.dtype(), zeros_initializer())};
    });
    const LstmOutputs y =
        lstm(x, w.kernel, w.bias, {state_or_none(how.first, 0), state_or_none(how.first, 1)},
             {.forget_bias = options_.forget_bias, .lengths = how.lengths, .reverse = how.reverse}, name_);
    return {y.outputs, {y.state.cell, y.state.output}};
  }

 private:
  struct Weights {
    Tensor kernel, bias;
  };
  LSTMCellOptions options_;
  OnceInAGraph<Weights> weights_;
};

/// An LSTM of single operators, for what the one of whole sequences has not.
class SteppedLstmCell : public RnnCell {
 public:
  SteppedLstmCell(int64_t units, LSTMCellOptions options)
      : name_(options.name.value_or("lstm_cell")), units_(units), options_(std::move(options)) {
    check_units(name_, units);
    if (options_.num_proj) check_units(name_ + ", num_proj", *options_.num_proj);
    for (const auto& limit : {options_.cell_clip, options_.proj_clip}) {
      if (limit && !(*limit > 0))
        throw UsageError(fmt::format("[{}] expected a limit above 0 to clip at, got {}", name_, *limit));
    }
    if (options_.proj_clip && !options_.num_proj)
      throw UsageError(fmt::format("[{}] expected .num_proj beside .proj_clip, got none", name_));
  }

  std::vector<int64_t> state_sizes() const override { return {units_, output_size()}; }
  int64_t output_size() const override { return options_.num_proj.value_or(units_); }

  RnnStep step(const Tensor& x, const RnnState& state) const override {
    check_state(name_, state, 2);
    return step_with(weights(x), x, state.empty() ? zero_state(*this, x) : state);
  }

  RnnSequence run(const Tensor& x, const RnnRun& how) const override {
    if (x.rank() != 3 || x.dim(0) != kDynamic) return RnnCell::run(x, how);
    check_state(name_, how.first, 2);
    const Weights w = weights(x);  // not in the function of the loop
    RnnState first = how.first.empty() ? zero_state(*this, x) : how.first;
    first.push_back(zeros_like(first[1]));
    const auto all = scan(
        [&](const std::vector<Tensor>& before, const std::vector<Tensor>& at) -> std::vector<Tensor> {
          const RnnStep next = step_with(w, at[0], {before[0], before[1]});
          if (!how.lengths.defined()) return {next.state[0], next.state[1], next.output};
          const Tensor running = expand_dims(greater(how.lengths, at[1]), 1);
          return {where(running, next.state[0], before[0]), where(running, next.state[1], before[1]),
                  where(running, next.output, 0)};
        },
        {x, range(select(shape(x), 0))}, first, {.reverse = how.reverse}, name_);
    const int64_t last = how.reverse ? 0 : -1;
    return {all[2], {select(all[0], last), select(all[1], last)}};
  }

 private:
  struct Weights {
    Tensor kernel, bias, forget_peephole, input_peephole, output_peephole, projection;
  };

  RnnStep step_with(const Weights& w, const Tensor& x, const RnnState& before) const {
    const auto gates = split(call("aten::addmm", {w.bias, concat({x, before[1]}, 1), w.kernel}), 4, 1, name_);
    const auto gate = [&](const Tensor& g, const Tensor& peephole, const Tensor& cell) {
      return sigmoid(peephole.defined() ? g + peephole * cell : g);
    };
    const Tensor forget = gate(gates[2] + options_.forget_bias, w.forget_peephole, before[0]);
    const Tensor input = gate(gates[0], w.input_peephole, before[0]);
    const Tensor cell = clipped(forget * before[0] + input * tanh(gates[1]), options_.cell_clip);
    Tensor output = gate(gates[3], w.output_peephole, cell) * tanh(cell);
    if (options_.num_proj) output = clipped(matmul(output, w.projection), options_.proj_clip);
    return {output, {cell, output}};
  }

  const Weights& weights(const Tensor& x) const {
    const int64_t channels = channels_of(name_, x);
    return weights_.get([&] {
      const VariableScope scope(name_);
      const auto make = [&](const char* name, const Shape& shape, const Initializer& initializer) {
        return get_variable(name, shape, {.dtype = x.dtype(), .initializer = initializer});
      };
      Weights w;
      w.kernel = make("kernel", {channels + output_size(), 4 * units_}, options_.initializer);
      w.bias = make("bias", {4 * units_}, zeros_initializer());
      if (options_.use_peepholes) {
        w.forget_peephole = make("w_f_diag", {units_}, options_.initializer);
        w.input_peephole = make("w_i_diag", {units_}, options_.initializer);
        w.output_peephole = make("w_o_diag", {units_}, options_.initializer);
      }
      if (options_.num_proj) {
        const VariableScope projection("projection");
        w.projection = make("kernel", {units_, *options_.num_proj}, options_.initializer);
      }
      return w;
    });
  }

  static Tensor clipped(const Tensor& x, const std::optional<double>& limit) {
    return limit ? clip_by_value(x, -*limit, *limit) : x;
  }

  std::string name_;
  int64_t units_;
  LSTMCellOptions options_;
  OnceInAGraph<Weights> weights_;
};

bool runs_step_by_step(const LSTMCellOptions& options) {
  return options.use_peepholes || options.cell_clip || options.num_proj || options.proj_clip;
}

class GruCell : public SequenceCell {
 public:
  GruCell(int64_t units, RNNCellOptions options)
      : SequenceCell(options.name.value_or("gru_cell"), units), options_(std::move(options)) {}

  std::vector<int64_t> state_sizes() const override { return {units_}; }
  RnnSequence run(const Tensor& x, const RnnRun& how) const override {
    const int64_t channels = channels_of(name_, x);
    check_state(name_, how.first, 1);
    const GruWeights& w = weights_.get([&] { return make_weights(channels + units_, x.dtype()); });
    const GruOutputs y =
        gru(x, w, state_or_none(how.first, 0), {.lengths = how.lengths, .reverse = how.reverse}, name_);
    return {y.outputs, {y.state}};
  }

 private:
  GruWeights make_weights(int64_t rows, DType dtype) const {
    const auto bias = [&](const Initializer& usual) {
      return options_.bias_initializer ? options_.bias_initializer : usual;
    };
    const VariableScope cell(name_);
    GruWeights w;
    {
      const VariableScope gates("gates");
      w.gates_kernel = weight("kernel", {rows, 2 * units_}, dtype, options_.kernel_initializer);
      w.gates_bias = weight("bias", {2 * units_}, dtype, bias(ones_initializer()));
    }
    const VariableScope candidate("candidate");
    w.candidate_kernel = weight("kernel", {rows, units_}, dtype, options_.kernel_initializer);
    w.candidate_bias = weight("bias", {units_}, dtype, bias(zeros_initializer()));
    return w;
  }

  RNNCellOptions options_;
  OnceInAGraph<GruWeights> weights_;
};

class SimpleCell : public RnnCell {
 public:
  SimpleCell(int64_t units, RNNCellOptions options)
      : name_(options.name.value_or("basic_rnn_cell")), units_(units), options_(std::move(options)) {
    check_units(name_, units);
  }
  std::vector<int64_t> state_sizes() const override { return {units_}; }
  int64_t output_size() const override { return units_; }
  RnnStep step(const Tensor& x, const RnnState& state) const override {
    const int64_t channels = channels_of(name_, x);
    check_state(name_, state, 1);
    const Weights& w = weights_.get([&] {
      const VariableScope scope(name_);
      const Initializer& bias =
          options_.bias_initializer ? options_.bias_initializer : Initializer(zeros_initializer());
      return Weights{get_variable("kernel", {channels + units_, units_},
                                  {.dtype = x.dtype(), .initializer = options_.kernel_initializer}),
                     get_variable("bias", {units_}, {.dtype = x.dtype(), .initializer = bias})};
    });
    const Tensor before = state.empty() ? zero_state(*this, x)[0] : state[0];
    const Tensor y = tanh(call("aten::addmm", {w.bias, concat({x, before}, 1), w.kernel}), name_);
    return {y, {y}};
  }

 private:
  struct Weights {
    Tensor kernel, bias;
  };
  std::string name_;
  int64_t units_;
  RNNCellOptions options_;
  OnceInAGraph<Weights> weights_;
};

class CellWithDropout : public RnnCell {
 public:
  CellWithDropout(RnnCellPtr cell, DropoutWrapperOptions options)
      : cell_(std::move(cell)), options_(options) {
    for (double keep : {options_.input_keep_prob, options_.output_keep_prob}) {
      if (!(keep > 0 && keep <= 1)) {
        throw UsageError(
            fmt::format("[DropoutWrapper] expected probabilities to keep in (0, 1], got {}", keep));
      }
    }
  }
  std::vector<int64_t> state_sizes() const override { return cell_->state_sizes(); }
  int64_t output_size() const override { return cell_->output_size(); }
  RnnStep step(const Tensor& x, const RnnState& state) const override {
    if (options_.variational_recurrent) {
      throw UsageError(
          "[DropoutWrapper] expected whole sequences for .variational_recurrent, got a single step, which "
          "cannot drop what another one drops");
    }
    RnnStep result = cell_->step(drop(x, options_.input_keep_prob, "input"), state);
    return {drop(result.output, options_.output_keep_prob, "output"), std::move(result.state)};
  }
  RnnSequence run(const Tensor& x, const RnnRun& how) const override {
    RnnSequence result = cell_->run(drop(x, options_.input_keep_prob, "input"), how);
    return {drop(result.outputs, options_.output_keep_prob, "output"), std::move(result.state)};
  }

 private:
  Tensor drop(const Tensor& x, double keep, const char* what) const {
    if (keep == 1) return x;
    const Shape noise = options_.variational_recurrent ? Shape{1, x.dim(1), x.dim(2)} : Shape{};
    return dropout(x, 1 - keep, {.seed = options_.seed, .noise_shape = noise},
                   fmt::format("dropout_{}", what));
  }

  RnnCellPtr cell_;
  DropoutWrapperOptions options_;
};

class StackedCells : public RnnCell {
 public:
  explicit StackedCells(std::vector<RnnCellPtr> cells) : cells_(std::move(cells)) {}

  std::vector<int64_t> state_sizes() const override {
    std::vector<int64_t> sizes;
    for (const RnnCellPtr& cell : cells_) {
      const auto own = cell->state_sizes();
      sizes.insert(sizes.end(), own.begin(), own.end());
    }
    return sizes;
  }
  int64_t output_size() const override { return cells_.back()->output_size(); }
  RnnStep step(const Tensor& x, const RnnState& state) const override {
    Tensor y = x;
    RnnState last = for_each_cell(state, [&](const RnnCell& cell, RnnState first) {
      RnnStep one = cell.step(y, first);
      y = one.output;
      return std::move(one.state);
    });
    return {y, std::move(last)};
  }
  /// Layer by layer over all steps, which is the same as step by step through all layers.
  RnnSequence run(const Tensor& x, const RnnRun& how) const override {
    Tensor y = x;
    RnnState last = for_each_cell(how.first, [&](const RnnCell& cell, RnnState first) {
      RnnSequence all =
          cell.run(y, {.first = std::move(first), .lengths = how.lengths, .reverse = how.reverse});
      y = all.outputs;
      return std::move(all.state);
    });
    return {y, std::move(last)};
  }

 private:
  /// Gives each cell its part of the state, and returns the new parts.
  template <typename Run>
  RnnState for_each_cell(const RnnState& state, Run run) const {
    check_state("MultiRNNCell", state, state_sizes().size());
    const VariableScope scope("multi_rnn_cell");
    RnnState last;
    size_t begin = 0;
    for (size_t i = 0; i < cells_.size(); ++i) {
      const VariableScope own(fmt::format("cell_{}", i));
      const size_t size = cells_[i]->state_sizes().size();
      const auto first = state.begin() + static_cast<std::ptrdiff_t>(begin);
      RnnState next =
          run(*cells_[i],
              state.empty() ? RnnState() : RnnState(first, first + static_cast<std::ptrdiff_t>(size)));
      std::ranges::move(next, std::back_inserter(last));
      begin += size;
    }
    return last;
  }

  std::vector<RnnCellPtr> cells_;
};

}  // namespace

RnnState zero_state(const RnnCell& cell, const Tensor& x) {
  if (!x.defined() || x.rank() < 2) throw UsageError("[zero_state] expected inputs [..., N, C], got others");
  const int64_t batch = x.dim(-2);
  RnnState state;
  for (int64_t size : cell.state_sizes()) {
    if (batch != kDynamic) {
      state.push_back(zeros({batch, size}, x.dtype(), "zero_state"));
      continue;
    }
    const Tensor rows = slice(shape(x), {x.rank() - 2}, {1});
    const Tensor sizes = concat({rows, constant(std::vector<int64_t>{size})}, 0);
    state.push_back(zeros(RunTimeShape(sizes, {kDynamic, size}), x.dtype(), "zero_state"));
  }
  return state;
}

RnnSequence RnnCell::run(const Tensor& x, const RnnRun& how) const {
  if (x.rank() != 3 || x.dim(0) == kDynamic || x.dim(0) == 0) {
    throw UsageError(fmt::format(
        "[RnnCell] expected inputs [T, N, C] of a static number of steps, 1 or more, for a cell that "
        "runs step by step, got {}",
        describe(x)));
  }
  const auto inputs = unstack(x);
  RnnState state = how.first.empty() ? zero_state(*this, x) : how.first;
  std::vector<Tensor> outputs(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t t = how.reverse ? inputs.size() - 1 - i : i;
    RnnStep next = step(inputs[t], state);
    outputs[t] = next.output;
    if (how.lengths.defined()) {
      const Tensor running = expand_dims(greater(how.lengths, static_cast<int64_t>(t)), 1);
      outputs[t] = where(running, next.output, 0);
      for (size_t k = 0; k < state.size(); ++k) next.state[k] = where(running, next.state[k], state[k]);
    }
    state = std::move(next.state);
  }
  return {stack(outputs), std::move(state)};
}

RnnCellPtr BasicLSTMCell(int64_t units, LSTMCellOptions options) {
  if (runs_step_by_step(options))
    throw UsageError("[BasicLSTMCell] expected no peepholes, projection and clipping, which LSTMCell has");
  return std::make_shared<LstmCell>("basic_lstm_cell", units, std::move(options));
}
RnnCellPtr LSTMCell(int64_t units, LSTMCellOptions options) {
  if (runs_step_by_step(options)) return std::make_shared<SteppedLstmCell>(units, std::move(options));
  return std::make_shared<LstmCell>("lstm_cell", units, std::move(options));
}
RnnCellPtr GRUCell(int64_t units, RNNCellOptions options) {
  return std::make_shared<GruCell>(units, std::move(options));
}
RnnCellPtr BasicRNNCell(int64_t units, RNNCellOptions options) {
  return std::make_shared<SimpleCell>(units, std::move(options));
}
RnnCellPtr DropoutWrapper(RnnCellPtr cell, DropoutWrapperOptions options) {
  if (!cell) throw UsageError("[DropoutWrapper] expected a cell, got none");
  return std::make_shared<CellWithDropout>(std::move(cell), options);
}
RnnCellPtr MultiRNNCell(std::vector<RnnCellPtr> cells) {
  if (cells.empty() || !std::ranges::all_of(cells, [](const RnnCellPtr& cell) { return cell != nullptr; }))
    throw UsageError("[MultiRNNCell] expected cells, got none, or one that is none");
  return std::make_shared<StackedCells>(std::move(cells));
}

}  // namespace belfry
