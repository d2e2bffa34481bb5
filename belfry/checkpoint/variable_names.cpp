#include "belfry/checkpoint/variable_names.h"

#include <algorithm>
#include <array>

namespace belfry {
namespace {

// TensorFlow's names of optimizer slots, and of averages that stand beside their variables.
constexpr std::array<std::string_view, 16> kSlotSuffixes = {
    "/Momentum", "/Adam",          "/Adam_1",     "/AdamW",
    "/AdamW_1",  "/RMSProp",       "/RMSProp_1",  "/RMSProp_2",
    "/Adagrad",  "/Adadelta",      "/Adadelta_1", "/Ftrl",
    "/Ftrl_1",   "/LARSOptimizer", "/AccumGrad",  "/ExponentialMovingAverage"};
// Scopes that hold nothing but what training needs.
constexpr std::array<std::string_view, 3> kTrainingPrefixes = {"EMA/", "AccumGrad", "apply_gradients"};
constexpr std::array<std::string_view, 4> kTrainingScalars = {"global_step", "learning_rate", "beta1_power",
                                                              "beta2_power"};

}  // namespace

std::string variable_name(std::string_view name) {
  if (name.ends_with(":0")) name.remove_suffix(2);
  return std::string(name);
}

bool is_training_name(std::string_view name) {
  if (name.ends_with(":0")) name.remove_suffix(2);
  auto any = [&](const auto& words, auto matches) {
    return std::any_of(words.begin(), words.end(), matches);
  };
  // Variables "x/EMA" are moving averages that a layer owns and inference needs; "x/EMA/y" are of summaries.
  return any(kSlotSuffixes, [&](auto suffix) { return name.ends_with(suffix); }) ||
         any(kTrainingPrefixes, [&](auto prefix) { return name.starts_with(prefix); }) ||
         any(kTrainingScalars, [&](auto scalar) { return name == scalar; }) ||
         name.find("/EMA/") != std::string_view::npos;
}

}  // namespace belfry
