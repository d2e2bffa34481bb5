#include "belfry/loop/enable_callback_if.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

bool is_due(const PeriodicCallbackOptions& options, const Trainer& trainer) {
  if (options.every_k_steps && trainer.global_step() % *options.every_k_steps == 0) return true;
  if (!options.every_k_epochs) return false;
  const LoopOptions& loop = trainer.loop();
  return trainer.epoch_num() % *options.every_k_epochs == 0 ||
         (trainer.local_step() == loop.steps_per_epoch - 1 && trainer.epoch_num() == loop.max_epoch);
}

}  // namespace

EnableCallbackIf::EnableCallbackIf(Shared<Callback> callback, Predicate predicate)
    : ProxyCallback(std::move(callback)), predicate_(std::move(predicate)) {
  if (!predicate_) throw UsageError(fmt::format("[{}] expected a predicate, got none", name()));
}

void EnableCallbackIf::before_epoch() {
  if (predicate_(trainer())) inner().before_epoch();
}

std::vector<Tensor> EnableCallbackIf::before_run() {
  runs_ = predicate_(trainer());
  return runs_ ? inner().before_run() : std::vector<Tensor>();
}

std::vector<std::pair<Tensor, at::Tensor>> EnableCallbackIf::feeds_of_run() {
  return runs_ ? inner().feeds_of_run() : std::vector<std::pair<Tensor, at::Tensor>>();
}

void EnableCallbackIf::after_run(const std::vector<at::Tensor>& values) {
  if (runs_) inner().after_run(values);
}

void EnableCallbackIf::trigger_step() {
  if (predicate_(trainer())) inner().trigger_step();
}

void EnableCallbackIf::after_epoch() {
  if (predicate_(trainer())) inner().after_epoch();
}

void EnableCallbackIf::trigger_epoch() {
  if (predicate_(trainer())) inner().trigger_epoch();
}

PeriodicCallback::PeriodicCallback(Shared<Callback> callback, PeriodicCallbackOptions options)
    : EnableCallbackIf(std::move(callback),
                       [options](Trainer& trainer) { return is_due(options, trainer); }) {
  if (!options.every_k_steps && !options.every_k_epochs) {
    throw UsageError(
        fmt::format("[{}] expected every_k_steps or every_k_epochs, got none: it would never run", name()));
  }
  for (const auto& period : {options.every_k_steps, options.every_k_epochs}) {
    if (period && *period <= 0)
      throw UsageError(fmt::format("[{}] expected a positive period, got {}", name(), *period));
  }
}

}  // namespace belfry
