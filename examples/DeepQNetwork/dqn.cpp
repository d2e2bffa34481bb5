// Deep Q-learning: a network learns to catch a ball from what it sees of the game.
//
//   example_dqn                         trains, Double DQN; --algo DQN or Dueling
//   example_dqn --task eval --load train_log/DQN-catch/checkpoint
//
// tensorpack's examples/DeepQNetwork plays Atari, whose emulator is not part of this project: the game here
// is a small one of its own (catch_ball.h), with the same network and algorithms, less memory and fewer
// steps. On purpose different: one player, who plays in the training thread, so that a run can be repeated.

#include "examples/DeepQNetwork/dqn_model.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "examples/DeepQNetwork/expreplay.h"

using namespace belfry;

int main(int argc, char** argv) try {
  constexpr int64_t kHistory = 4;
  std::string task = "train", algo = "Double", load, log_dir = "train_log/DQN-catch";
  int64_t num_eval = 50, epochs = 10, steps_per_epoch = 500;
  CLI::App app("Learns to catch a ball.");
  app.add_option("--task", task)->check(CLI::IsMember({"train", "eval"}))->capture_default_str();
  app.add_option("--algo", algo)->check(CLI::IsMember({"DQN", "Double", "Dueling"}))->capture_default_str();
  app.add_option("--load", load, "checkpoint to start from, or to evaluate");
  app.add_option("--num-eval", num_eval, "games of an evaluation")->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const dqn::Method method = algo == "DQN"      ? dqn::Method::kDQN
                             : algo == "Double" ? dqn::Method::kDouble
                                                : dqn::Method::kDueling;
  dqn::Model model(dqn::CatchBall::frame_shape(), kHistory, method, dqn::CatchBall::kNumActions);
  if (task == "eval") {
    const OfflinePredictor predict(
        {.model = model, .session_init = SmartInit(load), .inputs = {"comb_state"}, .outputs = {"Qvalue"}});
    const StatCounter scores = dqn::play_games(predict, num_eval, kHistory, 0);
    fmt::print("average score: {}, best score: {}\n", scores.average(), scores.max());
    return 0;
  }

  auto replay = std::make_shared<dqn::ExpReplay>(dqn::ExpReplayOptions{
      .batch_size = 64, .memory_size = 20000, .init_memory_size = 1000, .history_len = kHistory});
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = model,
       .data = FeedInput(replay->data()),
       .steps_per_epoch = steps_per_epoch,
       .max_epoch = epochs,
       .callbacks = callbacks(
           ModelSaver(),
           PeriodicTrigger(RunOp(dqn::Model::update_target_param, {.verbose = true}), {.every_k_steps = 200}),
           replay, ScheduledHyperParamSetter("learning_rate", {{0, 1e-3}, {6, 5e-4}, {9, 1e-4}}),
           ScheduledHyperParamSetter(ObjAttrParam(*replay, &dqn::ExpReplay::exploration, "exploration"),
                                     {{0, 1}, {3, 0.1}, {8, 0.01}}, {.linear = true}),
           PeriodicTrigger(dqn::Evaluator(num_eval, kHistory), {.every_k_epochs = 2})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
