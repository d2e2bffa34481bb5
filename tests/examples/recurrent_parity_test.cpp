#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "examples/CTC-TIMIT/train_timit.h"
#include "examples/Char-RNN/char_rnn.h"
#include "examples/PennTreebank/ptb_lstm.h"
#include "examples/SpatialTransformer/mnist_addition.h"
#include "tests/examples/learns_a_batch.h"
#include "tests/examples/model_parity.h"

namespace belfry {
namespace {

struct RecurrentParity : test::ModelParity<RecurrentParity> {
  static constexpr const char* kScript = "tests/examples/recurrent_models.py";
};

char_rnn::Param small_char_rnn() {
  return {.batch_size = 3, .rnn_size = 8, .seq_len = 5, .vocab_size = 11, .softmax_temprature = 0.7};
}
ptb_lstm::Param small_ptb() {
  return {.seq_len = 5, .hidden_size = 8, .batch = 4, .vocab_size = 13, .dropout = 0};
}

TEST_F(RecurrentParity, CharRnn) {
  expect_same("char_rnn", char_rnn::Model(small_char_rnn()), {"input", "nextinput", "c0", "h0", "c1", "h1"},
              {"prob", "last_state", "cost"});
}
TEST_F(RecurrentParity, PtbLstm) {
  expect_same("ptb_lstm", ptb_lstm::Model(small_ptb()), {"input", "nextinput"}, {"cost", "perplexity"});
}
TEST_F(RecurrentParity, PtbLstmGoesOnWhereItWas) {
  const auto expected = load_checkpoint(*dir / "ptb_lstm.npz");
  const OfflinePredictor predict({.model = ptb_lstm::Model(small_ptb()),
                                  .session_init = SaverRestore(*dir / "ptb_lstm/model"),
                                  .inputs = {"input", "nextinput"},
                                  .outputs = {"cost"}});
  predict({expected.at("input"), expected.at("nextinput")});
  const at::Tensor last = expected.at("last_state");
  for (const Variable& variable : variables_in(predict.graph(), kGlobalVariables)) {
    const std::string name = variable.name();  // "c0", "h1", ...
    if (name.size() != 2) continue;
    EXPECT_TRUE(test::close(predict.session().value(variable), last[name[1] - '0'][name[0] == 'c' ? 0 : 1],
                            {.relative = 1e-4, .absolute = 1e-4}))
        << name;
  }
}
TEST_F(RecurrentParity, TrainTimit) {
  expect_same("train_timit", train_timit::Model(8), {"feat", "label", "labellen", "seqlen"},
              {"cost", "error"});
}
TEST_F(RecurrentParity, MnistAddition) {
  expect_same("mnist_addition", mnist_addition::Model(), {"input", "label"},
              {"STN1/affine", "STN2/affine", "visualization/viz", "prob", "cross_entropy_loss"});
}

using test::expect_falls;

TEST(RecurrentTraining, CharRnnLearnsABatch) {
  const at::Tensor text = (at::arange(18, at::kInt) % 11).view({3, 6});
  expect_falls(char_rnn::Model(small_char_rnn()), "cost", {text.narrow(1, 0, 5), text.narrow(1, 1, 5)});
}
TEST(RecurrentTraining, PtbLstmLearnsABatch) {
  const at::Tensor text = (at::arange(24, at::kInt) % 13).view({4, 6});
  expect_falls(ptb_lstm::Model(small_ptb()), "cost", {text.narrow(1, 0, 5), text.narrow(1, 1, 5)});
}
TEST(RecurrentTraining, TrainTimitLearnsABatch) {
  at::manual_seed(1);
  expect_falls(train_timit::Model(16), "cost",
               {at::randn({3, 12, 39}), at::randint(0, 61, {3, 4}, at::kInt), at::tensor({3, 2, 4}, at::kInt),
                at::tensor({9, 6, 12}, at::kInt)});
}
TEST(RecurrentTraining, MnistAdditionLearnsABatch) {
  at::manual_seed(1);
  expect_falls(mnist_addition::Model(), "cross_entropy_loss",
               {at::rand({4, 42, 42, 2}) * 255, at::tensor({1, 5, 9, 18}, at::kInt)});
}

}  // namespace
}  // namespace belfry
