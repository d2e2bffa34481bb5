#include "belfry/dataflow/dataflow.h"

#include <fmt/format.h>

#include "belfry/base/error.h"

namespace belfry {

std::optional<Datapoint> DataIterator::next() {
  if (!pass_) return std::nullopt;
  try {
    std::optional<Datapoint> datapoint = pass_->next();
    if (datapoint) {
      ++position_.index;
    } else {
      pass_.reset();
    }
    return datapoint;
  } catch (...) {
    pass_.reset();
    throw;
  }
}

int64_t DataIterator::skip(int64_t count) {
  if (count < 0)
    throw UsageError(fmt::format("[DataIterator] expected to skip >= 0 datapoints, got {}", count));
  if (!pass_) return 0;
  try {
    const int64_t skipped = pass_->skip(count);
    position_.index += skipped;
    if (skipped < count) pass_.reset();
    return skipped;
  } catch (...) {
    pass_.reset();
    throw;
  }
}

int64_t DataIterator::Pass::skip(int64_t count) {
  int64_t skipped = 0;
  while (skipped < count && next()) ++skipped;
  return skipped;
}

DataIterator DataFlow::iterator() {
  const int64_t pass = *next_pass_;
  DataIterator iterator = start_pass(pass);
  *next_pass_ = pass + 1;
  iterator.position_ = {.pass = pass, .index = 0};
  return iterator;
}

DataIterator DataFlow::iterator_at(DataPosition position) {
  if (position.pass < 0 || position.index < 0) {
    throw UsageError(fmt::format("[DataFlow] expected a position of numbers >= 0, got pass {}, index {}",
                                 position.pass, position.index));
  }
  DataIterator iterator = start_pass(position.pass);
  *next_pass_ = position.pass + 1;
  iterator.position_ = {.pass = position.pass, .index = 0};
  if (int64_t there = iterator.skip(position.index); there < position.index) {
    throw UsageError(fmt::format("[DataFlow] expected a pass of at least {} datapoints to go on in, got {}",
                                 position.index, there));
  }
  return iterator;
}

}  // namespace belfry
