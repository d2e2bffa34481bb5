#include "belfry/dataflow/map_data.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/dataflow/internal/map_call.h"

// Each stage is its function on datapoints (map_function.h), run in the consumer's thread.

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

at::Tensor& component(Datapoint& datapoint, int64_t index) {
  check_component(datapoint, index, "MapDataComponent");
  return datapoint[static_cast<size_t>(index)];
}
at::Tensor& component(Datapoint& datapoint, const std::string& name) {
  return datapoint.at(name);
}

// The function on datapoints has the same form as the one on the component, for what its type says matters.
template <typename Key>
MapFunction map_component(MapComponentFunction function, Key key) {
  if (!function) throw UsageError("[MapDataComponent] expected a function, got an empty one");
  auto apply = [function, key](Datapoint datapoint, auto&... rng) -> std::optional<Datapoint> {
    at::Tensor& place = component(datapoint, key);
    std::optional<at::Tensor> value = function(std::move(place), rng...);
    if (!value) return std::nullopt;
    place = std::move(*value);
    return datapoint;
  };
  auto apply_without_dropping = [apply](Datapoint datapoint, auto&... rng) {
    return *apply(std::move(datapoint), rng...);
  };
  auto with_rng = [](auto f) {
    return [f](Datapoint datapoint, Rng& rng) { return f(std::move(datapoint), rng); };
  };
  auto plain = [](auto f) { return [f](Datapoint datapoint) { return f(std::move(datapoint)); }; };
  if (function.is_random())
    return function.may_drop() ? MapFunction(with_rng(apply)) : MapFunction(with_rng(apply_without_dropping));
  return function.may_drop() ? MapFunction(plain(apply)) : MapFunction(plain(apply_without_dropping));
}

MapFunction select(std::vector<int64_t> indices) {
  for (int64_t index : indices) check_index(index, "SelectComponent");
  std::vector<int64_t> sorted = indices;
  std::sort(sorted.begin(), sorted.end());
  const bool are_different = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  return [indices = std::move(indices), are_different](Datapoint datapoint) {
    Datapoint selected;
    selected.reserve(indices.size());
    for (int64_t index : indices) {
      check_component(datapoint, index, "SelectComponent");
      selected.push_back(datapoint[static_cast<size_t>(index)]);
    }
    if (datapoint.has_names() && are_different) {
      auto names = std::make_shared<Datapoint::Names>();
      for (int64_t index : indices) names->push_back(datapoint.names()[static_cast<size_t>(index)]);
      selected.set_names(std::move(names));
    }
    return selected;
  };
}

MapFunction select(Datapoint::Names names) {
  Datapoint::Names sorted = names;
  std::sort(sorted.begin(), sorted.end());
  if (auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
    throw UsageError(fmt::format("[SelectComponent] expected different names, got '{}' twice", *twice));
  return [names = std::make_shared<const Datapoint::Names>(std::move(names))](Datapoint datapoint) {
    Datapoint selected;
    selected.reserve(names->size());
    for (const std::string& name : *names) selected.push_back(std::move(datapoint.at(name)));
    selected.set_names(names);
    return selected;
  };
}

}  // namespace

std::optional<Datapoint> internal::map_call(const MapFunction& function, Datapoint datapoint,
                                            const MapCall& call) {
  try {
    try {
      if (!function.is_random()) return function(std::move(datapoint));
      Rng rng(call.seed, static_cast<uint64_t>(call.pass), static_cast<uint64_t>(call.index));
      return function(std::move(datapoint), rng);
    } catch (const c10::OutOfMemoryError& e) {
      throw OutOfMemoryError(e.what_without_backtrace());
    } catch (const c10::Error& e) {
      throw Error(e.what_without_backtrace());
    }
  } catch (...) {
    rethrow_with_context(fmt::format("[{}] datapoint {}", call.stage, call.index));
  }
}

namespace {

struct MapPass {
  std::optional<Datapoint> next() {
    while (std::optional<Datapoint> datapoint = source.next()) {
      auto mapped = internal::map_call(*function, std::move(*datapoint), call);
      ++call.index;
      if (mapped) return mapped;
    }
    return std::nullopt;
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    if (function->may_drop()) {
      while (skipped < count && next()) ++skipped;
    } else {
      skipped = source.skip(count);
      call.index += skipped;
    }
    return skipped;
  }

  DataIterator source;
  std::shared_ptr<const MapFunction> function;
  internal::MapCall call;
};

}  // namespace

MapData::MapData(AnyDataFlow source, MapFunction function, MapDataOptions options)
    : ProxyDataFlow(std::move(source)),
      function_(std::make_shared<const MapFunction>(std::move(function))),
      options_(options) {
  if (!*function_) throw UsageError("[MapData] expected a function, got an empty one");
}

DataIterator MapData::start_pass(int64_t pass) {
  return DataIterator(MapPass{source_->start_pass(pass),
                              function_,
                              {.stage = "MapData", .seed = options_.seed, .pass = pass, .index = 0}});
}

MapDataComponent::MapDataComponent(AnyDataFlow source, MapComponentFunction function, int64_t index,
                                   MapDataOptions options)
    : MapData(std::move(source),
              map_component(std::move(function), (check_index(index, "MapDataComponent"), index)), options) {}

MapDataComponent::MapDataComponent(AnyDataFlow source, MapComponentFunction function, std::string name,
                                   MapDataOptions options)
    : MapData(std::move(source), map_component(std::move(function), std::move(name)), options) {}

SelectComponent SelectComponent::named(AnyDataFlow source, Datapoint::Names names) {
  return {std::move(source), select(std::move(names))};
}

SelectComponent::SelectComponent(AnyDataFlow source, std::vector<int64_t> indices)
    : MapData(std::move(source), select(std::move(indices))) {}

}  // namespace belfry
