#pragma once

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "belfry/belfry.h"

namespace ptb_lstm {
using namespace belfry;

struct Param {
  int64_t seq_len = 35, hidden_size = 650, num_layer = 2, batch = 20, vocab_size = 0;
  double dropout = 0.5;
};

/// A language model whose LSTM goes on from step to step where it was: its state is in variables.
struct Model : ModelDesc {
  explicit Model(const Param& param) : param(param) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, param.seq_len}, kInt32}, {"nextinput", {kDynamic, param.seq_len}, kInt32}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [input, nextinput] = in.get<2>();
    const Initializer initializer = random_uniform_initializer(-0.05, 0.05);
    std::vector<RnnCellPtr> cells;
    RnnState initial;
    state.clear();
    for (int64_t k = 0; k < param.num_layer; ++k) {
      RnnCellPtr cell = BasicLSTMCell(param.hidden_size, {.forget_bias = 0, .initializer = initializer});
      if (current_tower_context().is_training())
        cell = DropoutWrapper(cell, {.output_keep_prob = 1 - param.dropout});
      cells.push_back(cell);
      for (const char* part : {"c", "h"})
        state.push_back(get_variable(fmt::format("{}{}", part, k), {param.batch, param.hidden_size},
                                     {.initializer = zeros_initializer(), .trainable = false}));
    }
    // Copies: the gradients need what the updates below overwrite.
    for (const Tensor& value : unstack(stack({state.begin(), state.end()}))) initial.push_back(value);

    const Variable table =
        get_variable("embedding", {param.vocab_size, param.hidden_size}, {.initializer = initializer});
    const Tensor input_feature =
        Dropout("dropout", embedding_lookup(table, input), {.rate = param.dropout});  // B x seqlen x hidden
    StaticRnnOutputs rnn;
    {
      VariableScope scope("LSTM");
      rnn = static_rnn(MultiRNNCell(cells), unstack(input_feature, 1), {.initial_state = initial});
    }
    std::vector<Tensor> update_state_ops;
    for (size_t i = 0; i < state.size(); ++i) update_state_ops.push_back(assign(state[i], rnn.state[i]));

    const Tensor output = reshape(concat(rnn.outputs, 1), {-1, param.hidden_size});  // (Bxseqlen) x hidden
    const Tensor logits = FullyConnected(
        "fc", output,
        {.units = param.vocab_size, .kernel_initializer = initializer, .bias_initializer = initializer});
    if (!nextinput) return {};
    const Tensor xent_loss = sparse_softmax_cross_entropy(logits, reshape(nextinput, {-1}));
    Tensor cost;
    {
      ControlDependencies after(update_state_ops);
      cost = identity(sum(xent_loss) / static_cast<double>(param.batch), "cost");  // log-perplexity
    }
    const Tensor perplexity = exp(cost / static_cast<double>(param.seq_len), "perplexity");
    add_moving_summary({perplexity, cost});
    return cost;
  }

  /// An operation that lets the next step begin a new text.
  Tensor reset_lstm_state() const {
    std::vector<Tensor> ops;
    for (const Variable& v : state) ops.push_back(assign(v, constant(0.0, kFloat32)));
    return group(ops, "reset_lstm_state");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1.0), .trainable = false});
    return apply_grad_processors(
        std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = rate}), GlobalNormClip(5));
  }

  Param param;
  std::vector<Variable> state;
};

}  // namespace ptb_lstm
