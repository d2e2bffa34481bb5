#pragma once

#include <memory>
#include <vector>

#include "belfry/belfry.h"

namespace train_timit {
using namespace belfry;

constexpr int64_t kNumClasses = 61 + 1;  // 61 phonemes + the blank
constexpr int64_t kFeatureDim = 39;      // MFCC features

/// LSTM and CTC: phonemes from features of speech. Labels are padded, with their lengths beside.
struct Model : ModelDesc {
  explicit Model(int64_t hidden = 128, int64_t num_layers = 2) : hidden(hidden), num_layers(num_layers) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"feat", {kDynamic, kDynamic, kFeatureDim}, kFloat32},  // b x maxseq x 39
            {"label", {kDynamic, kDynamic}, kInt32},                // b x maxlen
            {"labellen", {kDynamic}, kInt32},
            {"seqlen", {kDynamic}, kInt32}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [feat, label, labellen, seqlen] = in.get<4>();
    std::vector<RnnCellPtr> cells;
    for (int64_t k = 0; k < num_layers; ++k) cells.push_back(LSTMCell(hidden));
    const Tensor outputs = dynamic_rnn(MultiRNNCell(cells), transpose(feat, {1, 0, 2}),
                                       {.sequence_length = seqlen, .time_major = true})
                               .outputs;  // t x b x hidden
    const Tensor frames =
        FullyConnected("fc", reshape(outputs, {-1, hidden}),
                       {.units = kNumClasses, .kernel_initializer = truncated_normal_initializer(0, 0.01)});
    const auto sizes = unstack(shape(outputs));
    const Tensor logits =
        reshape(frames, RunTimeShape(stack({sizes[0], sizes[1], constant(kNumClasses, sizes[0].dtype())}),
                                     {kDynamic, kDynamic, kNumClasses}));

    const Tensor cost = mean(ctc_loss(logits, label, labellen, seqlen), "cost");
    // The beam search is too slow to run in training.
    const CtcDecoded predictions = current_tower_context().is_training()
                                       ? ctc_greedy_decoder(logits, seqlen)
                                       : ctc_beam_search_decoder(logits, seqlen, {.merge_repeated = true});
    const Tensor err = mean(edit_distance(predictions.labels, predictions.lengths, label, labellen), "error");
    add_moving_summary({err, cost});
    return cost;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(5e-3), .trainable = false});
    return apply_grad_processors(std::make_unique<Adam>(AdamOptions{.learning_rate = rate, .epsilon = 1e-3}),
                                 GlobalNormClip(5), SummaryGradient());
  }

  int64_t hidden, num_layers;
};

}  // namespace train_timit
