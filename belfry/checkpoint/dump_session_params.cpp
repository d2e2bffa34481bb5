#include "belfry/checkpoint/dump_session_params.h"

#include <map>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/variable.h"

namespace belfry {

void dump_session_params(const Session& session, const std::string& path) {
  std::map<std::string, at::Tensor> values;
  for (const char* collection : {kTrainableVariables, kModelVariables}) {
    for (const Variable& variable : variables_in(session.graph(), collection))
      values.emplace(variable.name(), session.value(variable));
  }
  if (values.empty())
    throw UsageError("[dump_session_params] expected trainable or model variables in the graph, got none");
  save_checkpoint(path, values);
  log_info("[dump_session_params] {} variables to {}", values.size(), path);
}

}  // namespace belfry
