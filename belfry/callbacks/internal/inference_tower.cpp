#include "belfry/callbacks/internal/inference_tower.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry::internal {

TowerFunc& choose_tower_func(const std::string& who, Trainer& trainer, TowerFunc* function) {
  if (!function) function = trainer.tower_func();
  if (!function) {
    throw UsageError(
        fmt::format("[{}] expected a tower function, in the options or the trainer's, got none", who));
  }
  return *function;
}

std::vector<Tensor> build_inference_tower(const std::string& name, c10::Device device, TowerFunc& function,
                                          InputSource& input, const Inferencers& inferencers) {
  log_info("[InferenceRunner] Building tower '{}' on device {} ...", name, device.str());
  VariableScope reuse("", {.reuse = Reuse::kReuse});
  TowerContext tower(name, {.is_training = false, .device = device});
  const std::vector<Tensor> tensors = input.input_tensors();
  std::vector<std::pair<std::string, Tensor>> inputs;
  for (size_t i = 0; i < tensors.size(); ++i) inputs.emplace_back(function.signature()[i].name, tensors[i]);
  function(TowerInputs(std::move(inputs)));

  const TowerTensorHandle& handle = function.towers().back();
  std::vector<Tensor> fetches = {tensors.at(0)};
  for (const auto& inferencer : inferencers) {
    for (const std::string& fetch : inferencer->get_fetches()) fetches.push_back(handle.tensor(fetch));
  }
  return fetches;
}

int64_t batch_size_of(const std::vector<at::Tensor>& values) {
  return values[0].dim() == 0 ? 1 : values[0].size(0);
}

void give_to_inferencers(const std::vector<at::Tensor>& values, int64_t batch_size,
                         const Inferencers& inferencers) {
  auto next = values.begin() + 1;
  for (const auto& inferencer : inferencers) {
    const auto end = next + static_cast<std::ptrdiff_t>(inferencer->get_fetches().size());
    inferencer->on_fetches({next, end}, batch_size);
    next = end;
  }
}

void report(Trainer& trainer, const Inferencers& inferencers) {
  for (const auto& inferencer : inferencers) {
    for (const auto& [tag, value] : inferencer->after_inference()) trainer.monitors().put_scalar(tag, value);
  }
}

}  // namespace belfry::internal
