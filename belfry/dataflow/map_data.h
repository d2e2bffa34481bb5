#pragma once

#include <string>

#include "belfry/dataflow/map_function.h"

namespace belfry {

struct MapDataOptions {
  /// For functions that take an Rng. Stages with the same seed draw the same numbers: give each its own.
  uint64_t seed = 0;
};

/// Applies a function to each datapoint.
///
/// An exception of the function reaches the consumer as the same kind of Error (a DataError stays one, what
/// is not Belfry's becomes Error), with the index of the datapoint in the source's pass before the original
/// message. `size()` stays the source's, so it is too large when the function drops datapoints.
class MapData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `function` is empty.
  MapData(AnyDataFlow source, MapFunction function, MapDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;

 private:
  std::shared_ptr<const MapFunction> function_;
  MapDataOptions options_;
};

/// Applies a function to component `index` of each datapoint and keeps the others; nullopt drops the
/// datapoint. Exceptions: as in MapData. A datapoint without that component is a DataError.
class MapDataComponent : public MapData {
 public:
  /// Throws UsageError when `function` is empty or `index` negative.
  MapDataComponent(AnyDataFlow source, MapComponentFunction function, int64_t index = 0,
                   MapDataOptions options = {});
  /// Of the component of that name.
  MapDataComponent(AnyDataFlow source, MapComponentFunction function, std::string name,
                   MapDataOptions options = {});
};

/// Keeps the components named by `indices`, in that order: {2, 0} makes {c2, c0} of {c0, c1, c2}; names are
/// kept where none comes twice. A datapoint without one of them is a DataError.
class SelectComponent : public MapData {
 public:
  /// Throws UsageError when an index is negative.
  SelectComponent(AnyDataFlow source, std::vector<int64_t> indices);
  /// Keeps the components of these names, in that order. Throws UsageError when one comes twice.
  static SelectComponent named(AnyDataFlow source, Datapoint::Names names);

 private:
  SelectComponent(AnyDataFlow source, MapFunction select) : MapData(std::move(source), std::move(select)) {}
};

}  // namespace belfry
