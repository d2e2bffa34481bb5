#include "belfry/dataflow/repeated_data.h"

#include <fmt/format.h>

#include <limits>

#include "belfry/base/error.h"

namespace belfry {

RepeatedData::RepeatedData(AnyDataFlow source, int64_t num) : ProxyDataFlow(std::move(source)), num_(num) {
  if (num_ <= 0 && num_ != -1)
    throw UsageError(fmt::format("[RepeatedData] expected num > 0, or -1, got {}", num_));
}

std::optional<int64_t> RepeatedData::size() const {
  std::optional<int64_t> n = source_->size();
  if (!n || num_ == -1 || (*n > 0 && num_ > std::numeric_limits<int64_t>::max() / *n)) return std::nullopt;
  return *n * num_;
}

DataIterator RepeatedData::iterator() {
  return DataIterator([source = source_, pass = source_->iterator(), left = num_,
                       is_empty = true]() mutable -> std::optional<Datapoint> {
    while (true) {
      if (std::optional<Datapoint> datapoint = pass.next()) {
        is_empty = false;
        return datapoint;
      }
      if (is_empty || left == 1) return std::nullopt;
      if (left > 0) --left;
      is_empty = true;
      pass = source->iterator();
    }
  });
}

// Where a FixedSizeData stands in its source.
struct FixedSizeData::Position {
  std::optional<DataIterator> pass;
  bool in_use = false;

  Datapoint next(const AnyDataFlow& source, int64_t wanted) {
    if (pass) {
      if (std::optional<Datapoint> datapoint = pass->next()) return std::move(*datapoint);
    }
    pass.emplace(source->iterator());
    std::optional<Datapoint> datapoint = pass->next();
    if (!datapoint)
      throw DataError(fmt::format("[FixedSizeData] expected {} datapoints, got an empty source", wanted));
    return std::move(*datapoint);
  }
};

FixedSizeData::FixedSizeData(AnyDataFlow source, int64_t size, FixedSizeDataOptions options)
    : ProxyDataFlow(std::move(source)),
      size_(size),
      kept_(options.keep_state ? std::make_shared<Position>() : nullptr) {
  if (size_ < 0) throw UsageError(fmt::format("[FixedSizeData] expected size >= 0, got {}", size_));
}

DataIterator FixedSizeData::iterator() {
  std::shared_ptr<Position> position = kept_ ? kept_ : std::make_shared<Position>();
  if (position->in_use)
    throw UsageError("[FixedSizeData] expected one pass at a time with keep_state, got a second one");
  position->in_use = true;
  struct Release {
    void operator()(Position* position) const { position->in_use = false; }
  };
  return DataIterator([source = source_, position,
                       release = std::unique_ptr<Position, Release>(position.get()), size = size_,
                       left = size_]() mutable -> std::optional<Datapoint> {
    if (left == 0) return std::nullopt;
    --left;
    return position->next(source, size);
  });
}

void FixedSizeData::reset_state() {
  if (kept_ && kept_->in_use)
    throw UsageError("[FixedSizeData] expected no pass to run at reset_state(), got one");
  if (kept_) kept_->pass.reset();
  ProxyDataFlow::reset_state();
}

}  // namespace belfry
