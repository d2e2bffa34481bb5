#pragma once

#include <iterator>
#include <ranges>
#include <utility>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// A range whose elements are datapoints: a container, a view, a generator of coroutines.
template <typename Range>
concept DatapointRange =
    std::ranges::input_range<Range> && std::convertible_to<std::ranges::range_reference_t<Range>, Datapoint>;

/// Produces the datapoints of a container or view, from its beginning in each pass. The container is taken by
/// value and shared by all copies; several passes may read it at once, so it must allow that (containers do;
/// for ranges that can be read only once there is DataFromGenerator).
template <std::ranges::forward_range Iterable>
requires DatapointRange<Iterable>
class DataFromIterable : public DataFlow {
 public:
  explicit DataFromIterable(Iterable iterable) : iterable_(std::make_shared<Iterable>(std::move(iterable))) {}

  DataIterator start_pass(int64_t) override {
    return DataIterator(
        [iterable = iterable_, at = std::ranges::begin(*iterable_)]() mutable -> std::optional<Datapoint> {
          if (at == std::ranges::end(*iterable)) return std::nullopt;
          return *at++;
        });
  }

  /// The container's; nullopt for views that do not know theirs.
  std::optional<int64_t> size() const override {
    if constexpr (std::ranges::sized_range<Iterable>) {
      return static_cast<int64_t>(std::ranges::size(*iterable_));
    } else {
      return std::nullopt;
    }
  }

 private:
  std::shared_ptr<Iterable> iterable_;
};

/// Produces what a generator produces: `generate` is called for each pass and returns a range of datapoints,
/// which is read once, as it is produced. (A function that returns one datapoint at a call:
/// DataFromFunction.)
template <std::invocable Generate>
requires DatapointRange<std::invoke_result_t<Generate&>>
class DataFromGenerator : public DataFlow {
 public:
  explicit DataFromGenerator(Generate generate) : generate_(std::move(generate)) {}

  DataIterator start_pass(int64_t) override { return DataIterator(Pass(generate_())); }

 private:
  using Range = std::remove_cvref_t<std::invoke_result_t<Generate&>>;

  // Asks for the next datapoint only when it is wanted. The range stays where it is: its iterators may point
  // into it.
  struct Pass {
    explicit Pass(Range from) : range(std::make_unique<Range>(std::move(from))) {}
    std::optional<Datapoint> next() {
      if (!at) {
        at.emplace(std::ranges::begin(*range));
      } else {
        ++*at;
      }
      if (*at == std::ranges::end(*range)) return std::nullopt;
      return **at;
    }
    std::unique_ptr<Range> range;
    std::optional<std::ranges::iterator_t<Range>> at;
  };

  Generate generate_;
};

}  // namespace belfry
