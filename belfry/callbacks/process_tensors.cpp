#include "belfry/callbacks/process_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// "[2, 3] 0.5 1 2 ..."
std::string summary(const at::Tensor& value, int64_t limit) {
  const at::Tensor elements = value.reshape(-1).to(at::kCPU, at::kDouble);
  const int64_t shown = limit < 0 ? elements.numel() : std::min(limit, elements.numel());
  std::string text = fmt::format("[{}]", fmt::join(value.sizes(), ", "));
  for (int64_t i = 0; i < shown; ++i) text += fmt::format(" {:.6g}", elements[i].item<double>());
  return text + (shown < elements.numel() ? " ..." : "");
}

}  // namespace

ProcessTensors::ProcessTensors(std::vector<std::string> names, Function function)
    : names_(std::move(names)), function_(std::move(function)) {
  if (!function_) throw UsageError("[ProcessTensors] expected a function, got none");
}

void ProcessTensors::setup_graph() {
  fetches_ = get_tensors_maybe_in_tower(names_);
}

void ProcessTensors::after_run(const std::vector<at::Tensor>& values) {
  process(values);
}

void DumpTensors::setup_graph() {
  ProcessTensors::setup_graph();
  if (trainer().log_dir().empty()) throw UsageError("[DumpTensors] expected a log_dir to write to, got none");
}

void DumpTensors::process(const std::vector<at::Tensor>& values) {
  std::map<std::string, at::Tensor> named;
  for (size_t i = 0; i < values.size(); ++i) named[names()[i]] = values[i].to(at::kCPU);
  save_checkpoint(fmt::format("{}/DumpTensor-{}.npz", trainer().log_dir(), trainer().global_step()), named);
}

void TensorPrinter::process(const std::vector<at::Tensor>& values) {
  std::string text;
  for (size_t i = 0; i < values.size(); ++i)
    text += fmt::format("{}{}: {}", i ? "\n" : "", names()[i], summary(values[i], summarize_));
  log_info("{}", text);
}

}  // namespace belfry
