#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace dqn {
using namespace belfry;

enum class Method { kDQN, kDouble, kDueling };

/// Deep Q-learning of frames [height, width], uint8. The input "comb_state" holds history + 1 frames: the
/// first `history` are the state, the last `history` the state after it. "Qvalue" has the values of the
/// actions.
struct Model : ModelDesc {
  Model(std::vector<int64_t> state_shape, int64_t history, Method method, int64_t num_actions)
      : state_shape(std::move(state_shape)), history(history), method(method), num_actions(num_actions) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"comb_state", {kDynamic, state_shape[0], state_shape[1], history + 1}, kUInt8},
            {"action", {kDynamic}, kInt64},
            {"reward", {kDynamic}, kFloat32},
            {"isOver", {kDynamic}, kBool}};
  }

  /// The architecture of the paper in Nature. Creates its variables in a scope where it has none yet.
  Tensor get_DQN_prediction(const Tensor& state) const {
    VariableScope reuse("", {.reuse = Reuse::kAuto});
    ArgScope defaults(Conv2DOptions{.activation = [](const Tensor& x) { return PReLU("prelu", x); }});
    const Tensor l = (state / 255.0) | Conv2D("conv0", {.filters = 32, .kernel = 8, .strides = 4}) |
                     Conv2D("conv1", {.filters = 64, .kernel = 4, .strides = 2}) |
                     Conv2D("conv2", {.filters = 64, .kernel = 3}) | FullyConnected("fc0", {.units = 512}) |
                     [](const Tensor& x) { return leaky_relu(x, 0.01); };
    if (method != Method::kDueling)
      return identity(FullyConnected("fct", l, {.units = num_actions}), "Qvalue");
    const Tensor v = FullyConnected("fctV", l, {.units = 1});
    const Tensor advantages = FullyConnected("fctA", l, {.units = num_actions});
    return identity(advantages + (v - mean(advantages, 1, {.keep_dims = true})), "Qvalue");
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [input, action, reward, is_over] = in.get<4>();
    const Tensor comb_state = cast(input, kFloat32);
    const Tensor state = slice(comb_state, {0, 0, 0, 0}, {-1, -1, -1, history}, "state");
    const Tensor predict_value = get_DQN_prediction(state);
    if (!current_tower_context().is_training()) return {};

    const Tensor next_state = slice(comb_state, {0, 0, 0, 1}, {-1, -1, -1, history}, "next_state");
    const Tensor pred_action_value = sum(predict_value * one_hot(action, num_actions), 1);
    add_moving_summary({mean(max(predict_value, 1), "predict_reward")});

    Tensor target_value;
    {
      VariableScope target("target");
      FreezeVariables freeze({.skip_collection = true});
      target_value = get_DQN_prediction(next_state);
    }
    Tensor best;
    if (method == Method::kDouble) {
      const Tensor greedy_choice = argmax(get_DQN_prediction(next_state), 1);
      best = sum(target_value * one_hot(greedy_choice, num_actions), 1);
    } else {
      best = max(target_value, 1);
    }
    const Tensor goes_on = 1 - cast(is_over, kFloat32);
    const Tensor target = clip_by_value(reward, -1, 1) + goes_on * gamma * stop_gradient(best);
    const Tensor cost = mean(huber_loss(pred_action_value, target), "cost");
    add_param_summary({{"conv.*/W", {"histogram", "rms"}}, {"fc.*/W", {"histogram", "rms"}}});
    add_moving_summary({cost});
    return cost;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1e-3), .trainable = false});
    scalar_summary("learning_rate-summary", rate);
    return apply_grad_processors(
        std::make_unique<RMSProp>(
            RMSPropOptions{.learning_rate = rate, .decay = 0.95, .momentum = 0.95, .epsilon = 1e-2}),
        SummaryGradient());
  }

  /// The operation that copies the trained network to the target network.
  static Tensor update_target_param() {
    std::map<std::string, Variable> variables;
    for (const Variable& variable : global_variables()) variables[variable.name()] = variable;
    std::vector<Tensor> copies;
    for (const auto& [name, variable] : variables) {
      if (name.starts_with("target/"))
        copies.push_back(assign(variable, variables.at(name.substr(std::string("target/").size()))));
    }
    return group(copies, "update_target_network");
  }

  std::vector<int64_t> state_shape;
  int64_t history;
  Method method;
  int64_t num_actions;
  double gamma = 0.99;  ///< how much a reward counts one step later
};

}  // namespace dqn
