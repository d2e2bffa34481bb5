#pragma once

#include <optional>
#include <string>

#include "belfry/callbacks/hyper_param_setter.h"

namespace belfry {

/// Sets a hyper-parameter to what a file says whenever it is triggered, so that somebody can change it while
/// training runs. Each line is "name:value": "learning_rate:1e-4". A file that is missing, or does not name
/// the parameter, changes nothing; one that cannot be understood only warns.
class HumanHyperParamSetter : public HyperParamSetter {
 public:
  /// `file_name`: in the trainer's log_dir, unless it begins with '/'.
  explicit HumanHyperParamSetter(std::string variable_name, std::string file_name = "hyper.txt");
  explicit HumanHyperParamSetter(Shared<HyperParam> param, std::string file_name = "hyper.txt");

  std::string name() const override { return "HumanHyperParamSetter"; }
  /// Throws UsageError where there is no log_dir.
  void setup_graph() override;

 protected:
  std::optional<double> get_value_to_set() override;

 private:
  std::string file_name_;
};

}  // namespace belfry
