#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "examples/DeepQNetwork/catch_ball.h"

namespace dqn {
using namespace belfry;

/// One step of a player: what was seen, what was done about it, and what came of that.
struct Experience {
  at::Tensor state;  ///< one frame
  int64_t action = 0;
  float reward = 0;
  bool is_over = false;
};

/// The last `max_size` experiences.
class ReplayMemory {
 public:
  ReplayMemory(size_t max_size, int64_t history) : max_size_(max_size), history_(history) {}

  size_t size() const { return memory_.size(); }
  void append(Experience experience) {
    if (memory_.size() == max_size_) memory_.pop_front();
    memory_.push_back(std::move(experience));
  }

  /// A training sample of history + 1 frames from `index` on, which is at most size() - history - 1: the
  /// action is the one of the last frame but one. Frames of a game before that one are black.
  Datapoint sample(size_t index) const {
    std::vector<at::Tensor> frames;
    const Experience& last = memory_[index + static_cast<size_t>(history_) - 1];
    for (size_t k = 0; k <= static_cast<size_t>(history_); ++k) frames.push_back(memory_[index + k].state);
    for (int64_t k = history_ - 2; k >= 0; --k) {
      if (!memory_[index + static_cast<size_t>(k)].is_over) continue;
      for (int64_t before = 0; before <= k; ++before) {
        at::Tensor& frame = frames[static_cast<size_t>(before)];
        frame = at::zeros(frame.sizes(), frame.options());
      }
      break;
    }
    return {at::stack(frames, -1), at::full({}, last.action, at::kLong),
            at::full({}, last.reward, at::kFloat), at::full({}, last.is_over, at::kBool)};
  }

 private:
  size_t max_size_;
  int64_t history_;
  std::deque<Experience> memory_;
};

/// The best action for what `frames` show, oldest first, by the values of `predictor`.
inline int64_t greedy_action(const Predictor& predictor, std::vector<at::Tensor> frames) {
  frames.push_back(at::zeros(frames[0].sizes(), frames[0].options()));  // the state after is not looked at
  return predictor(at::stack(frames, -1).unsqueeze(0))[0][0].argmax().item<int64_t>();
}

/// The last `history` frames of a game, black ones before its first.
class FrameHistory {
 public:
  explicit FrameHistory(int64_t history) : history_(history) {}
  const std::vector<at::Tensor>& see(const at::Tensor& frame) {
    while (static_cast<int64_t>(frames_.size()) < history_)
      frames_.push_back(at::zeros(frame.sizes(), frame.options()));
    frames_.erase(frames_.begin());
    frames_.push_back(frame);
    return frames_;
  }
  void reset() { frames_.clear(); }

 private:
  int64_t history_;
  std::vector<at::Tensor> frames_;
};

struct ExpReplayOptions {
  int64_t batch_size = 64;
  size_t memory_size = 1000000;
  size_t init_memory_size = 50000;
  /// How many steps are played for each batch.
  int64_t update_frequency = 4;
  int64_t history_len = 4;
  uint64_t seed = 0;
};

/// Plays, at first at random and then mostly by the network that is trained, and gives batches of what it
/// remembers: data() is the dataflow. Register it as a callback, which fills the memory before training and
/// shows the scores of the games. It plays in the thread that takes the batches: use a FeedInput.
class ExpReplay : public Callback {
 public:
  explicit ExpReplay(const ExpReplayOptions& options)
      : options_(options),
        memory_(options.memory_size, options.history_len),
        game_(options.seed),
        frames_(options.history_len),
        rng_(options.seed, 1) {}

  std::string name() const override { return "ExpReplay"; }
  void setup_graph() override { predictor_ = trainer().get_predictor({"comb_state"}, {"Qvalue"}); }
  void before_train() override {
    log_info("Populating replay memory with epsilon={} ...", exploration);
    while (memory_.size() < options_.init_memory_size) play_step();
  }
  void trigger() override {
    if (scores_.count() == 0) return;
    trainer().monitors().put_scalar("expreplay/mean_score", scores_.average());
    trainer().monitors().put_scalar("expreplay/max_score", scores_.max());
    scores_.reset();
  }

  /// Valid as long as this object.
  AnyDataFlow data() {
    const DataFromFunction samples(
        [this]() -> DataFromFunction::Next { return [this] { return std::optional(next_sample()); }; });
    return BatchData(samples, options_.batch_size);
  }

  double exploration = 1.0;  ///< the share of actions that are drawn at random

 private:
  Datapoint next_sample() {
    // As many steps for each batch, not for each sample.
    if (samples_++ % options_.batch_size == 0 && samples_ > 1)
      for (int64_t i = 0; i < options_.update_frequency; ++i) play_step();
    return memory_.sample(rng_.below(memory_.size() - static_cast<size_t>(options_.history_len)));
  }

  void play_step() {
    const at::Tensor frame = game_.frame();
    const std::vector<at::Tensor>& seen = frames_.see(frame);
    const int64_t action = rng_.uniform() <= exploration
                               ? static_cast<int64_t>(rng_.below(CatchBall::kNumActions))
                               : greedy_action(*predictor_, seen);
    const CatchBall::Step step = game_.step(action);
    memory_.append({frame, action, step.reward, step.is_over});
    score_ += step.reward;
    if (!step.is_over) return;
    scores_.feed(score_);
    score_ = 0;
    frames_.reset();
    game_.reset();
  }

  ExpReplayOptions options_;
  ReplayMemory memory_;
  CatchBall game_;
  FrameHistory frames_;
  Rng rng_;
  std::shared_ptr<Predictor> predictor_;
  StatCounter scores_;
  double score_ = 0;
  int64_t samples_ = 0;
};

/// The mean and the best score of `games` games, played by `predictor`, which draws one action of a hundred.
inline StatCounter play_games(const Predictor& predictor, int64_t games, int64_t history, uint64_t seed) {
  StatCounter scores;
  CatchBall game(seed);
  FrameHistory frames(history);
  Rng rng(seed, 1);
  for (int64_t i = 0; i < games; ++i) {
    double score = 0;
    for (bool over = false; !over;) {
      int64_t action = greedy_action(predictor, frames.see(game.frame()));
      if (rng.uniform() < 0.01) action = static_cast<int64_t>(rng.below(CatchBall::kNumActions));
      const CatchBall::Step step = game.step(action);
      score += step.reward;
      over = step.is_over;
    }
    scores.feed(score);
    frames.reset();
    game.reset();
  }
  return scores;
}

/// Plays with the network as it is, and shows "mean_score" and "max_score".
class Evaluator : public Callback {
 public:
  Evaluator(int64_t games, int64_t history) : games_(games), history_(history) {}
  std::string name() const override { return "Evaluator"; }
  void setup_graph() override { predictor_ = trainer().get_predictor({"comb_state"}, {"Qvalue"}); }
  void trigger() override {
    const StatCounter scores = play_games(*predictor_, games_, history_, 12345);
    trainer().monitors().put_scalar("mean_score", scores.average());
    trainer().monitors().put_scalar("max_score", scores.max());
  }

 private:
  int64_t games_, history_;
  std::shared_ptr<Predictor> predictor_;
};

}  // namespace dqn
