#include "belfry/layers/layer.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/layers/internal/layer_records.h"
#include "belfry/ops/state.h"

namespace belfry::detail {
namespace {

const std::string& checked_name(const std::string& kind, const std::string& name, const Tensor& x) {
  if (name.empty()) throw UsageError(fmt::format("[{}] expected a name, got an empty one", kind));
  if (!x.defined()) throw UsageError(fmt::format("[{} {}] expected an input tensor, got none", kind, name));
  return name;
}

}  // namespace

LayerScope::LayerScope(const char* kind, const std::string& name, const Tensor& x)
    : kind_(kind), name_(checked_name(kind_, name, x)), scope_(name) {
  auto& records = default_graph().extension<internal::LayerRecords>().list;
  const bool listed = std::any_of(records.begin(), records.end(), [&](const internal::LayerRecord& record) {
    return record.kind == kind_ && record.name == current_variable_scope();
  });
  if (listed) return;
  record_ = records.size();
  records.push_back({kind_, current_variable_scope(), x, {}});
}

LayerScope::~LayerScope() {
  if (!finished_ && record_) default_graph().extension<internal::LayerRecords>().list.resize(*record_);
}

std::string LayerScope::who() const {
  return kind_ + " " + current_variable_scope();
}

Tensor LayerScope::finish(const Tensor& result) {
  const Tensor output = identity(result, "output");
  if (record_) {
    internal::LayerRecord& record = default_graph().extension<internal::LayerRecords>().list[*record_];
    record.output = output;
    log_info("'{}': {} --> {}", record.name, to_string(record.input.shape()), to_string(output.shape()));
  }
  finished_ = true;
  return output;
}

}  // namespace belfry::detail
