#pragma once

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "belfry/belfry.h"

namespace char_rnn {
using namespace belfry;

struct Param {
  int64_t batch_size = 128, rnn_size = 256, num_rnn_layer = 2, seq_len = 50, vocab_size = 0;
  double grad_clip = 5, softmax_temprature = 1;
};

/// Predicts the next character of a text. "prob" has a row for each character of the input, "last_state" is
/// [layers, 2, N, rnn_size]; feed its parts to c0, h0, c1, h1, ... to go on.
struct Model : ModelDesc {
  explicit Model(const Param& param) : param(param) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, param.seq_len}, kInt32}, {"nextinput", {kDynamic, param.seq_len}, kInt32}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [input, nextinput] = in.get<2>();
    auto get_v = [&](const std::string& n) {
      const Variable zeros = get_variable(n + "_unused", {param.batch_size, param.rnn_size},
                                          {.initializer = zeros_initializer(), .trainable = false});
      return placeholder_with_default(zeros, {kDynamic, param.rnn_size}, n);
    };
    std::vector<RnnCellPtr> cells;
    RnnState initial;
    for (int64_t k = 0; k < param.num_rnn_layer; ++k) {
      cells.push_back(LSTMCell(param.rnn_size));
      initial.push_back(get_v(fmt::format("c{}", k)));
      initial.push_back(get_v(fmt::format("h{}", k)));
    }

    const Variable table = get_variable("embedding", {param.vocab_size, param.rnn_size});
    const Tensor input_feature = embedding_lookup(table, input);  // B x seqlen x rnnsize
    const auto [outputs, state] = static_rnn(MultiRNNCell(cells), unstack(input_feature, 1),
                                             {.initial_state = initial, .scope = "rnnlm"});
    std::vector<Tensor> last_state;
    for (size_t k = 0; k < state.size(); k += 2) last_state.push_back(stack({state[k], state[k + 1]}));
    stack(last_state, 0, "last_state");

    const Tensor output = reshape(concat(outputs, 1), {-1, param.rnn_size});  // (Bxseqlen) x rnnsize
    const Tensor logits = FullyConnected("fc", output, {.units = param.vocab_size});
    softmax(logits / param.softmax_temprature, -1, "prob");
    if (!nextinput) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, reshape(nextinput, {-1})), "cost");
    add_param_summary({{".*/W", {"histogram"}}});
    add_moving_summary({cost});
    return cost;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(2e-3), .trainable = false});
    return apply_grad_processors(std::make_unique<Adam>(AdamOptions{.learning_rate = rate}),
                                 GlobalNormClip(param.grad_clip));
  }

  Param param;
};

}  // namespace char_rnn
