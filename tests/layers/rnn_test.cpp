#include "belfry/layers/rnn.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::HasSubstr;

constexpr int64_t kBatch = 3, kTime = 4, kChannels = 5, kUnits = 2;
/// What float32 leaves of these sums.
constexpr test::Tolerance kSame{.relative = 1e-5, .absolute = 1e-5};

using Build = std::function<std::vector<Tensor>(const Tensor& x)>;

std::vector<Tensor> joined(std::vector<Tensor> outputs, const std::vector<RnnState>& states) {
  for (const RnnState& state : states) outputs.insert(outputs.end(), state.begin(), state.end());
  return outputs;
}
Tensor lengths() {
  return constant({4, 1, 2});
}
RnnCellPtr stacked() {
  return MultiRNNCell({BasicLSTMCell(kUnits, {.forget_bias = 0}), BasicLSTMCell(kUnits + 1)});
}
Build dynamic(RnnCellPtr (*make)(), bool has_lengths = false) {
  return [=](const Tensor& x) {
    const RnnOutputs y = dynamic_rnn(make(), x, {.sequence_length = has_lengths ? lengths() : Tensor()});
    return joined({y.outputs}, {y.state});
  };
}
Build steps(RnnCellPtr (*make)(), bool has_lengths = false) {
  return [=](const Tensor& x) {
    const auto y = static_rnn(make(), unstack(x, 1), {.sequence_length = has_lengths ? lengths() : Tensor()});
    return joined({stack(y.outputs, 1)}, {y.state});
  };
}
RnnCellPtr gru_cell() {
  return GRUCell(kUnits);
}
RnnCellPtr lstm_cell() {
  return LSTMCell(kUnits);
}
RnnCellPtr full_cell() {
  return LSTMCell(
      kUnits,
      {.forget_bias = 0.5, .use_peepholes = true, .cell_clip = 0.3, .num_proj = 3, .proj_clip = 0.15});
}
RnnCellPtr simple_cell() {
  return BasicRNNCell(kUnits);
}

/// By the names of rnn_baseline.py.
const std::map<std::string, Build>& builds() {
  static const std::map<std::string, Build> all = {
      {"basic_lstm", dynamic([] { return BasicLSTMCell(kUnits); })},
      {"basic_lstm_static", steps([] { return BasicLSTMCell(kUnits, {.forget_bias = 0.5}); })},
      {"stacked_static", steps(stacked)},
      {"stacked_lengths", dynamic(stacked, true)},
      {"lstm", dynamic(lstm_cell, true)},
      {"lstm_peepholes", dynamic([] { return LSTMCell(kUnits, {.use_peepholes = true}); })},
      {"lstm_projection", steps([] { return LSTMCell(kUnits, {.num_proj = kUnits + 1}); })},
      {"lstm_full", dynamic(full_cell, true)},
      {"gru", dynamic(gru_cell)},
      {"gru_lengths", dynamic(gru_cell, true)},
      {"basic_rnn", dynamic(simple_cell)},
      {"basic_rnn_lengths", steps(simple_cell, true)},
      {"both_ways",
       [](const Tensor& x) {
         const auto y =
             bidirectional_dynamic_rnn(lstm_cell(), lstm_cell(), x, {.sequence_length = lengths()});
         return joined({y.forward, y.backward}, {y.state_forward, y.state_backward});
       }},
      {"both_ways_static",
       [](const Tensor& x) {
         const auto y = static_bidirectional_rnn(gru_cell(), gru_cell(), unstack(x, 1));
         return joined({stack(y.outputs, 1)}, {y.state_forward, y.state_backward});
       }},
  };
  return all;
}

at::Tensor counted(const Shape& shape) {
  return at::arange(c10::multiply_integers(shape), at::kDouble).reshape(shape);
}

/// A net of rnn_baseline.py: its outputs, and the gradients of its loss.
class Net {
 public:
  explicit Net(const Build& build) : scope_(graph) {
    x = placeholder("x", {kBatch, kTime, kChannels});
    const auto outputs = build(x);
    Tensor loss;
    for (size_t k = 0; k < outputs.size(); ++k) {
      const at::Tensor weights = at::cos(counted(outputs[k].shape()) * 0.9 + static_cast<double>(k));
      const Tensor part = sum(outputs[k] * constant(weights.to(at::kFloat)));
      loss = loss ? loss + part : part;
      fetches.push_back({"output/" + std::to_string(k), outputs[k]});
    }
    std::vector<Tensor> xs = {x};
    for (const Variable& variable : trainable_variables()) xs.push_back(variable);
    const auto by = gradients(loss, xs);
    for (size_t i = 0; i < xs.size(); ++i)
      fetches.push_back({"gradient/" + (i == 0 ? "x" : xs[i].op_name()), by[i]});
  }

  std::vector<Fetch> wanted() const {
    std::vector<Fetch> list;
    for (const auto& fetch : fetches) list.push_back(fetch.second);
    return list;
  }
  static at::Tensor input() { return at::sin(counted({kBatch, kTime, kChannels}) * 0.7).to(at::kFloat); }

  Graph graph;
  Tensor x;
  std::vector<std::pair<std::string, Tensor>> fetches;

 private:
  GraphScope scope_;
};

/// Gives each variable its value in a checkpoint, which must hold these and no others.
void load(const Graph& graph, const std::string& path, Session& session) {
  const auto values = load_checkpoint(path);
  EXPECT_EQ(values.size(), graph.variables().size());
  for (const auto& record : graph.variables()) {
    const Variable variable(record.get());
    ASSERT_TRUE(values.contains(variable.name())) << variable.name();
    session.set_value(variable, values.at(variable.name()));
  }
}

void expect_all(const Net& net, const std::vector<at::Tensor>& results,
                const std::map<std::string, at::Tensor>& expected) {
  EXPECT_EQ(results.size(), expected.size());
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string& name = net.fetches[i].first;
    ASSERT_TRUE(expected.contains(name)) << name;
    EXPECT_TRUE(test::close(results[i], expected.at(name), kSame)) << name;
  }
}

TEST(RnnTest, ReadsTensorFlowsCheckpointsAndComputesTheSame) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const test::TempDir dir;
  test::run_python("tests/layers/rnn_baseline.py", {"write", dir.path()});
  for (const auto& [name, build] : builds()) {
    SCOPED_TRACE(name);
    const Net net(build);
    Session session(net.graph);
    load(net.graph, dir / name, session);
    const auto expected = load_checkpoint(dir / (name + ".npz"));
    expect_all(net, session.make_callable({net.x}, net.wanted())({net.input()}), expected);
    const CompiledStep step = compile_step(session, {net.x}, net.wanted());
    expect_all(net, step({net.input()}), expected);
    EXPECT_TRUE(step.is_compiled()) << step.describe();
  }
}

TEST(RnnTest, TensorFlowReadsItsCheckpoints) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const test::TempDir dir;
  std::map<std::string, std::vector<at::Tensor>> results;
  for (const auto& [name, build] : builds()) {
    const Net net(build);
    Session session(net.graph);
    session.initialize_variables();
    std::map<std::string, at::Tensor> values;
    for (const auto& record : net.graph.variables())
      values[record->tensor.op_name()] = session.value(Variable(record.get()));
    save_checkpoint(dir / (name + "-ours"), values);
    results[name] = session.make_callable({net.x}, net.wanted())({net.input()});
  }
  test::run_python("tests/layers/rnn_baseline.py", {"restore", dir.path()});
  for (const auto& [name, build] : builds()) {
    SCOPED_TRACE(name);
    expect_all(Net(build), results.at(name), load_checkpoint(dir / (name + "-ours.npz")));
  }
}

class RnnCallTest : public testing::Test {
 protected:
  at::Tensor run(const Tensor& y, const Feeds& feeds) {
    session_.initialize_variables();
    return session_.run(y, feeds);
  }

  Graph graph;
  GraphScope as_default{graph};

 private:
  Session session_{graph};
};

TEST_F(RnnCallTest, AnyBatchAndTimeMayBeDynamic) {
  const Tensor x = placeholder("x", {kDynamic, kDynamic, 3});
  const RnnOutputs y = dynamic_rnn(MultiRNNCell({BasicLSTMCell(4), GRUCell(2)}), x);
  EXPECT_EQ(y.outputs.shape(), (Shape{kDynamic, kDynamic, 2}));
  EXPECT_EQ(run(y.outputs, {{x, at::randn({2, 7, 3})}}).sizes(), (at::IntArrayRef{2, 7, 2}));
  EXPECT_EQ(run(y.outputs, {{x, at::randn({5, 1, 3})}}).sizes(), (at::IntArrayRef{5, 1, 2}));
}

TEST_F(RnnCallTest, StateGoesInWhereItCameOut) {
  const Tensor x = placeholder("x", {2, 6, 3});
  const auto cell = MultiRNNCell({BasicLSTMCell(4), BasicLSTMCell(4)});
  const RnnOutputs whole = dynamic_rnn(cell, x);
  const RnnOutputs first = dynamic_rnn(cell, slice(x, {0, 0, 0}, {-1, 3, -1}));
  const RnnOutputs rest = dynamic_rnn(cell, slice(x, {0, 3, 0}, {-1, 3, -1}), {.initial_state = first.state});
  const Tensor both = concat({first.outputs, rest.outputs}, 1);
  const Feeds feeds = {{x, at::randn({2, 6, 3})}};
  EXPECT_TRUE(test::close(run(both, feeds), run(whole.outputs, feeds), kSame));
  EXPECT_EQ(graph.variables().size(), 4u) << "a cell has one set of variables";
}

TEST_F(RnnCallTest, OneStepIsASequenceOfOne) {
  const Tensor x = placeholder("x", {2, 3});
  for (const RnnCellPtr& cell : {BasicLSTMCell(4), GRUCell(4), BasicRNNCell(4)}) {
    const RnnStep step = cell->step(x, zero_state(*cell, x));
    const Tensor sequence = cell->run(expand_dims(x, 0), {}).outputs;
    const Feeds feeds = {{x, at::randn({2, 3})}};
    EXPECT_TRUE(test::close(run(step.output, feeds), run(select(sequence, 0), feeds), kSame));
    EXPECT_EQ(step.state.size(), cell->state_sizes().size());
  }
}

TEST_F(RnnCallTest, TheTimeOfAFullLstmMayBeDynamic) {
  const Tensor fixed = placeholder("fixed", {3, 4, 5}), any = placeholder("any", {3, kDynamic, 5});
  const RnnCellPtr cell = full_cell();
  const at::Tensor value = at::randn({3, 4, 5});
  for (const bool with_lengths : {false, true}) {
    const BidirectionalRnnOptions options{.sequence_length = with_lengths ? lengths() : Tensor()};
    const auto a = bidirectional_dynamic_rnn(cell, cell, fixed, options),
               b = bidirectional_dynamic_rnn(cell, cell, any, options);
    const auto all_of = [](const auto& y) {
      return joined({y.forward, y.backward}, {y.state_forward, y.state_backward});
    };
    for (size_t i = 0; i < 6; ++i)
      EXPECT_TRUE(test::close(run(all_of(b)[i], {{any, value}}), run(all_of(a)[i], {{fixed, value}}), kSame));
  }
}

TEST_F(RnnCallTest, DropoutScalesWhatItKeepsAndLeavesTheStateAlone) {
  const Tensor x = constant(at::randn({4, 50, 3}));
  const auto cell = BasicLSTMCell(8);
  const Tensor plain = dynamic_rnn(cell, x).outputs;
  const RnnOutputs dropped = dynamic_rnn(DropoutWrapper(cell, {.output_keep_prob = 0.5}), x);
  const Tensor kept = not_equal(dropped.outputs, 0.0);
  const Tensor error = max(abs(where(kept, dropped.outputs - 2 * plain, 0)));
  const Tensor part = mean(cast(kept, kFloat32));
  EXPECT_LT(run(error, {}).item<float>(), 1e-5);
  EXPECT_NEAR(run(part, {}).item<float>(), 0.5, 0.1);
}

TEST_F(RnnCallTest, VariationalDropoutDropsTheSameAtAllSteps) {
  const Tensor x = constant(at::randn({4, 50, 3}));
  const auto cell =
      DropoutWrapper(BasicLSTMCell(8), {.output_keep_prob = 0.5, .variational_recurrent = true});
  const at::Tensor kept = run(dynamic_rnn(cell, x).outputs, {}).ne(0);
  EXPECT_TRUE(at::equal(kept.all(1), kept.any(1)));
}

/// Adds up its inputs.
class SumCell : public RnnCell {
 public:
  std::vector<int64_t> state_sizes() const override { return {3}; }
  int64_t output_size() const override { return 3; }
  RnnStep step(const Tensor& x, const RnnState& state) const override {
    const Tensor sum = x + state[0];
    return {sum, {sum}};
  }
};

TEST_F(RnnCallTest, RunsACellOfOnesOwnStepByStep) {
  const Tensor x = placeholder("x", {kDynamic, 4, 3});
  const Tensor n = placeholder("n", {kDynamic}, kInt64);
  const RnnOutputs y = dynamic_rnn(std::make_shared<SumCell>(), x, {.sequence_length = n});
  const at::Tensor value = at::randn({2, 4, 3});
  const Feeds feeds = {{x, value}, {n, at::arange(2, at::kLong) * 2}};
  const at::Tensor sums = run(y.outputs, feeds);
  EXPECT_TRUE(at::allclose(sums[1].narrow(0, 0, 2), value[1].narrow(0, 0, 2).cumsum(0)));
  EXPECT_TRUE(at::equal(sums[0], at::zeros({4, 3})));
  EXPECT_TRUE(at::allclose(run(y.state[0], feeds)[1], value[1].narrow(0, 0, 2).sum(0)));
}

TEST_F(RnnCallTest, RefusesWhatDoesNotFit) {
  const Tensor x = placeholder("x", {2, kDynamic, 3}), wide = placeholder("wide", {2, 5, kDynamic});
  const auto cell = BasicLSTMCell(4);
  const auto refused = [](const auto& act) { return test::message_of<UsageError>(act); };
  EXPECT_THAT(refused([&] { dynamic_rnn(BasicRNNCell(4), x); }), HasSubstr("static number of steps"));
  EXPECT_THAT(refused([&] { dynamic_rnn(cell, wide); }), HasSubstr("static number of channels"));
  EXPECT_THAT(refused([&] { dynamic_rnn(cell, x, {.initial_state = {x}}); }),
              HasSubstr("state of 2 tensors"));
  EXPECT_THAT(refused([&] {
                dynamic_rnn(cell, x, {.initial_state = {constant(1.0), constant(1.0)}});
              }),
              HasSubstr("expected a first cell [2, 4]"));
  EXPECT_THAT(refused([&] { static_rnn(cell, {}); }), HasSubstr("1 step or more"));
  EXPECT_THAT(refused([&] { BasicLSTMCell(0); }), HasSubstr("1 unit or more"));
  EXPECT_THAT(refused([&] { BasicLSTMCell(4, {.num_proj = 3}); }), HasSubstr("which LSTMCell has"));
  EXPECT_THAT(refused([&] { LSTMCell(4, {.num_proj = 0}); }), HasSubstr("1 unit or more"));
  EXPECT_THAT(refused([&] { LSTMCell(4, {.proj_clip = 1.0}); }), HasSubstr("expected .num_proj"));
  EXPECT_THAT(refused([&] { LSTMCell(4, {.cell_clip = 0.0}); }), HasSubstr("above 0"));
  EXPECT_THAT(refused([&] { MultiRNNCell({}); }), HasSubstr("expected cells"));
  EXPECT_THAT(refused([&] { DropoutWrapper(cell, {.input_keep_prob = 0}); }), HasSubstr("(0, 1]"));
}

}  // namespace
}  // namespace belfry
