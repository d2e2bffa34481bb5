#include "belfry/dataflow/join_data.h"

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry {

ConcatData::ConcatData(std::vector<AnyDataFlow> sources) : sources_(std::move(sources)) {}

DataIterator ConcatData::iterator() {
  return DataIterator([sources = sources_, index = size_t{0},
                       pass = std::optional<DataIterator>()]() mutable -> std::optional<Datapoint> {
    for (; index < sources.size(); ++index, pass.reset()) {
      if (!pass) pass.emplace(sources[index]->iterator());
      if (std::optional<Datapoint> datapoint = pass->next()) return datapoint;
    }
    return std::nullopt;
  });
}

std::optional<int64_t> ConcatData::size() const {
  int64_t sum = 0;
  for (const AnyDataFlow& source : sources_) {
    std::optional<int64_t> n = source->size();
    if (!n) return std::nullopt;
    sum += *n;
  }
  return sum;
}

void ConcatData::reset_state() {
  for (const AnyDataFlow& source : sources_) source->reset_state();
}

JoinData::JoinData(std::vector<AnyDataFlow> sources) : sources_(std::move(sources)) {
  if (sources_.empty()) throw UsageError("[JoinData] expected at least one dataflow, got none");
  for (const AnyDataFlow& source : sources_) {
    std::optional<int64_t> first = sources_[0]->size(), n = source->size();
    if (first && n && *first != *n)
      log_warning("[JoinData] dataflows of different sizes: {} and {}", *first, *n);
  }
}

DataIterator JoinData::iterator() {
  std::vector<DataIterator> passes;
  for (const AnyDataFlow& source : sources_) passes.push_back(source->iterator());
  return DataIterator([passes = std::move(passes)]() mutable -> std::optional<Datapoint> {
    Datapoint joined;
    for (DataIterator& pass : passes) {
      std::optional<Datapoint> part = pass.next();
      if (!part) return std::nullopt;
      joined.insert(joined.end(), std::make_move_iterator(part->begin()),
                    std::make_move_iterator(part->end()));
    }
    return joined;
  });
}

std::optional<int64_t> JoinData::size() const {
  std::optional<int64_t> smallest = sources_[0]->size();
  for (const AnyDataFlow& source : sources_) {
    std::optional<int64_t> n = source->size();
    if (!n) return std::nullopt;
    smallest = std::min(*smallest, *n);
  }
  return smallest;
}

void JoinData::reset_state() {
  for (const AnyDataFlow& source : sources_) source->reset_state();
}

}  // namespace belfry
