#include "belfry/callbacks/human_hyper_param_setter.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

HumanHyperParamSetter::HumanHyperParamSetter(std::string variable_name, std::string file_name)
    : HumanHyperParamSetter(Shared<HyperParam>(GraphVarParam(std::move(variable_name))),
                            std::move(file_name)) {}

HumanHyperParamSetter::HumanHyperParamSetter(Shared<HyperParam> param, std::string file_name)
    : HyperParamSetter(std::move(param)), file_name_(std::move(file_name)) {}

void HumanHyperParamSetter::setup_graph() {
  HyperParamSetter::setup_graph();
  if (!file_name_.starts_with('/')) {
    if (trainer().log_dir().empty())
      throw UsageError(fmt::format("[{}] expected a log_dir for '{}', got none", name(), file_name_));
    file_name_ = trainer().log_dir() + "/" + file_name_;
  }
  log_info("Use {} to set hyperparam: '{}'.", file_name_, param().name());
}

std::optional<double> HumanHyperParamSetter::get_value_to_set() {
  std::ifstream file(file_name_);
  std::optional<double> result;
  for (std::string line; std::getline(file, line);) {
    if (trimmed(line).empty()) continue;
    const size_t colon = line.rfind(':');
    const std::string text = colon == std::string::npos ? "" : trimmed(line.substr(colon + 1));
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      log_warning("[{}] expected 'name:number' in {}, got '{}'", name(), file_name_, line);
      return std::nullopt;
    }
    if (trimmed(line.substr(0, colon)) == param().name()) result = value;
  }
  return result;
}

}  // namespace belfry
