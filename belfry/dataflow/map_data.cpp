#include "belfry/dataflow/map_data.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/dataflow/internal/map_call.h"

namespace belfry {
namespace {

void check_component(const Datapoint& datapoint, int64_t index, std::string_view stage) {
  if (index >= static_cast<int64_t>(datapoint.size())) {
    throw DataError(
        fmt::format("[{}] expected a component {}, got {} components", stage, index, datapoint.size()));
  }
}

void check_index(int64_t index, std::string_view stage) {
  if (index < 0) throw UsageError(fmt::format("[{}] expected a component index >= 0, got {}", stage, index));
}

MapFunction map_component(MapComponentFunction function, int64_t index) {
  if (!function) throw UsageError("[MapDataComponent] expected a function, got an empty one");
  check_index(index, "MapDataComponent");
  return [function = std::move(function), index](Datapoint datapoint) -> std::optional<Datapoint> {
    check_component(datapoint, index, "MapDataComponent");
    std::optional<at::Tensor> value = function(std::move(datapoint[index]));
    if (!value) return std::nullopt;
    datapoint[index] = std::move(*value);
    return datapoint;
  };
}

MapFunction select(std::vector<int64_t> indices) {
  for (int64_t index : indices) check_index(index, "SelectComponent");
  return [indices = std::move(indices)](Datapoint datapoint) {
    Datapoint selected;
    selected.reserve(indices.size());
    for (int64_t index : indices) {
      check_component(datapoint, index, "SelectComponent");
      selected.push_back(datapoint[index]);
    }
    return selected;
  };
}

}  // namespace

std::optional<Datapoint> internal::map_call(const MapFunction& function, Datapoint datapoint,
                                            std::string_view stage, int64_t index) {
  try {
    try {
      return function(std::move(datapoint));
    } catch (const c10::Error& e) {
      throw Error(e.what_without_backtrace());
    }
  } catch (...) {
    rethrow_with_context(fmt::format("[{}] datapoint {}", stage, index));
  }
}

MapData::MapData(AnyDataFlow source, MapFunction function)
    : ProxyDataFlow(std::move(source)), function_(std::make_shared<const MapFunction>(std::move(function))) {
  if (!*function_) throw UsageError("[MapData] expected a function, got an empty one");
}

DataIterator MapData::iterator() {
  return DataIterator([source = source_->iterator(), function = function_,
                       index = int64_t{0}]() mutable -> std::optional<Datapoint> {
    while (std::optional<Datapoint> datapoint = source.next()) {
      if (auto mapped = internal::map_call(*function, std::move(*datapoint), "MapData", index++))
        return mapped;
    }
    return std::nullopt;
  });
}

MapDataComponent::MapDataComponent(AnyDataFlow source, MapComponentFunction function, int64_t index)
    : MapData(std::move(source), map_component(std::move(function), index)) {}

SelectComponent::SelectComponent(AnyDataFlow source, std::vector<int64_t> indices)
    : MapData(std::move(source), select(std::move(indices))) {}

}  // namespace belfry
