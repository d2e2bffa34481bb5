#include "belfry/dataflow/repeated_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "belfry/base/error.h"

// Passes made of other numbers of source passes. Invariant: which source pass a datapoint comes from depends
// on the number of the pass alone, so that a pass can be continued at any place; the exception, a
// FixedSizeData that keeps its state, is one position in an endless repetition, used by one pass at a time.
namespace belfry {
namespace {

int64_t saturated_product(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

struct RepeatedPass {
  std::optional<Datapoint> next() {
    while (true) {
      if (std::optional<Datapoint> datapoint = pass.next()) {
        is_empty = false;
        return datapoint;
      }
      if (!start_again()) return std::nullopt;
    }
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    while (true) {
      const int64_t here = pass.skip(count - skipped);
      if (here > 0) is_empty = false;
      skipped += here;
      if (skipped == count || !start_again()) return skipped;
    }
  }

  bool start_again() {
    if (is_empty || left == 1) return false;
    if (left > 0) --left;
    is_empty = true;
    pass = source->start_pass(++number);
    return true;
  }

  AnyDataFlow source;
  int64_t left;    // source passes, with this one; -1 for ever
  int64_t number;  // of the source pass
  DataIterator pass;
  bool is_empty = true;
};

struct RepeatedPointPass {
  std::optional<Datapoint> next() {
    if (left == 0) {
      std::optional<Datapoint> datapoint = source.next();
      if (!datapoint) return std::nullopt;
      current = std::move(*datapoint);
      left = num;
    }
    --left;
    return current;
  }

  int64_t skip(int64_t count) {
    int64_t skipped = std::min(count, left);
    left -= skipped;
    const int64_t whole = (count - skipped) / num;
    const int64_t there = source.skip(whole);
    skipped += there * num;
    if (there == whole) {
      while (skipped < count && next()) ++skipped;
    }
    return skipped;
  }

  DataIterator source;
  int64_t num;
  int64_t left = 0;  // of the current datapoint
  Datapoint current = {};
};

}  // namespace

RepeatedData::RepeatedData(AnyDataFlow source, int64_t num) : ProxyDataFlow(std::move(source)), num_(num) {
  if (num_ <= 0 && num_ != -1)
    throw UsageError(fmt::format("[RepeatedData] expected num > 0, or -1, got {}", num_));
}

std::optional<int64_t> RepeatedData::size() const {
  std::optional<int64_t> n = source_->size();
  if (!n || num_ == -1 || (*n > 0 && num_ > std::numeric_limits<int64_t>::max() / *n)) return std::nullopt;
  return *n * num_;
}

DataIterator RepeatedData::start_pass(int64_t pass) {
  const int64_t first = num_ == -1 ? pass : saturated_product(pass, num_);
  return DataIterator(RepeatedPass{source_, num_, first, source_->start_pass(first)});
}

RepeatedDataPoint::RepeatedDataPoint(AnyDataFlow source, int64_t num)
    : ProxyDataFlow(std::move(source)), num_(num) {
  if (num_ <= 0) throw UsageError(fmt::format("[RepeatedDataPoint] expected num > 0, got {}", num_));
}

DataIterator RepeatedDataPoint::start_pass(int64_t pass) {
  return DataIterator(RepeatedPointPass{source_->start_pass(pass), num_});
}

std::optional<int64_t> RepeatedDataPoint::size() const {
  const std::optional<int64_t> n = source_->size();
  if (!n) return std::nullopt;
  return saturated_product(*n, num_);
}

// Where a FixedSizeData stands in the endless repetition of its source.
struct FixedSizeData::Position {
  std::optional<DataIterator> endless;
  int64_t to_skip = 0;
  int64_t last_pass = -1;
  bool in_use = false;
};

struct FixedSizeData::FixedSizePass {
  struct Release {
    void operator()(Position* position) const { position->in_use = false; }
  };

  // A position that failed is lost.
  template <typename Function>
  auto with_position(Function function) {
    try {
      return function(*position->endless);
    } catch (...) {
      position->endless.reset();
      throw;
    }
  }

  std::optional<Datapoint> next() {
    if (left == 0) return std::nullopt;
    skip_in_source(std::exchange(position->to_skip, 0));
    std::optional<Datapoint> datapoint = with_position([](DataIterator& endless) { return endless.next(); });
    if (!datapoint) throw_empty();
    --left;
    return datapoint;
  }

  int64_t skip(int64_t count) {
    count = std::min(count, left);
    skip_in_source(std::exchange(position->to_skip, 0));
    skip_in_source(count);
    left -= count;
    return count;
  }

  void skip_in_source(int64_t count) {
    if (with_position([&](DataIterator& endless) { return endless.skip(count); }) < count) throw_empty();
  }

  [[noreturn]] void throw_empty() const {
    throw DataError(fmt::format("[FixedSizeData] expected {} datapoints, got an empty source", size));
  }

  std::shared_ptr<Position> position;
  std::unique_ptr<Position, Release> in_use;
  int64_t size, left;
};

FixedSizeData::FixedSizeData(AnyDataFlow source, int64_t size, FixedSizeDataOptions options)
    : ProxyDataFlow(std::move(source)),
      size_(size),
      kept_(options.keep_state ? std::make_shared<Position>() : nullptr) {
  if (size_ < 0) throw UsageError(fmt::format("[FixedSizeData] expected size >= 0, got {}", size_));
}

DataIterator FixedSizeData::start_pass(int64_t pass) {
  std::shared_ptr<Position> position = kept_ ? kept_ : std::make_shared<Position>();
  if (position->in_use)
    throw UsageError("[FixedSizeData] expected one pass at a time with keep_state, got a second one");
  RepeatedData endless(source_, -1);
  if (!kept_) {
    // Each pass has source passes of its own, as far as is known how many it needs.
    const int64_t n = source_->size().value_or(0);
    position->endless.emplace(endless.start_pass(n > 0 ? saturated_product(pass, size_ / n + 1) : pass));
  } else if (!position->endless || pass != position->last_pass + 1) {
    position->endless.emplace(endless.start_pass(0));
    position->to_skip = saturated_product(pass, size_);
  }
  position->last_pass = pass;
  position->in_use = true;
  return DataIterator(FixedSizePass{
      position, std::unique_ptr<Position, FixedSizePass::Release>(position.get()), size_, size_});
}

void FixedSizeData::reset_state() {
  if (kept_ && kept_->in_use)
    throw UsageError("[FixedSizeData] expected no pass to run at reset_state(), got one");
  if (kept_) *kept_ = {};
  ProxyDataFlow::reset_state();
}

}  // namespace belfry
