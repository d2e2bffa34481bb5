#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/graph/variable.h"
#include "belfry/runtime/session.h"

namespace belfry::internal {

/// What to do about a value whose shape or dtype is not the variable's.
enum class Fit {
  kExact,          ///< an error
  kConvert,        ///< reshape or cast where allowed, else an error
  kConvertOrSkip,  ///< reshape or cast where allowed, else leave the variable as it is
};

/// Values to be given to variables, in two phases: everything is checked and read before the first variable
/// changes.
class Assignments {
 public:
  /// `who` and `source` are for messages.
  Assignments(std::string who, std::string source) : who_(std::move(who)), source_(std::move(source)) {}

  /// Plans to give `variable` what `entry` describes.
  void add(const Variable& variable, const CheckpointEntry& entry, Fit fit);
  /// Something that makes the whole restore impossible.
  void add_problem(std::string problem) { problems_.push_back(std::move(problem)); }

  /// Throws UsageError with all problems, if any. Then fetches every value.
  void read(const CheckpointReader& reader);
  void read(const std::function<at::Tensor(const std::string& name)>& value_of);

  /// Requires: read() was called.
  void apply(Session& session);
  size_t size() const { return items_.size(); }

 private:
  struct Item {
    Variable variable;
    std::string name;  ///< in the source
    at::Tensor value;
  };

  std::string who_, source_;
  std::vector<Item> items_;
  std::vector<std::string> problems_;
};

}  // namespace belfry::internal
