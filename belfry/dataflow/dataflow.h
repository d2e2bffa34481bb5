#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "belfry/base/rng.h"

namespace belfry {

/// One sample (or batch): its components, e.g. {image, label}. Components may share memory with the dataset
/// they come from, so nobody writes into them in place.
using Datapoint = std::vector<at::Tensor>;

/// One pass over a dataflow. Move-only; owns everything it needs, so it may outlive the dataflow that made
/// it. Destroying it early is always allowed: it stops and joins the threads that work for it. One thread at
/// a time may use a pass; it need not be the thread that made it.
///
///     for (Datapoint& dp : flow.iterator()) ...
class DataIterator {
 public:
  /// `next` is called for each datapoint and returns nullopt at the end. It may be move-only.
  template <typename Next>
  requires std::is_invocable_r_v<std::optional<Datapoint>, Next&> &&
      (!std::same_as<std::remove_cvref_t<Next>, DataIterator>)explicit DataIterator(Next next)
      : pass_(std::make_unique<PassOf<Next>>(std::move(next))) {}

  /// The next datapoint, or nullopt when the pass is over. May throw whatever the dataflow's functions and
  /// files cause. Once it has returned nullopt or thrown the pass is over for good: its threads and memory
  /// are released and further calls return nullopt.
  std::optional<Datapoint> next();

  class Cursor;
  Cursor begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  struct Pass {
    virtual ~Pass() = default;
    virtual std::optional<Datapoint> next() = 0;
  };
  template <typename Next>
  struct PassOf final : Pass {
    explicit PassOf(Next next) : next_(std::move(next)) {}
    std::optional<Datapoint> next() override { return next_(); }
    Next next_;
  };

  std::unique_ptr<Pass> pass_;
};

/// Where a range-for stands in a pass.
class DataIterator::Cursor {
 public:
  explicit Cursor(DataIterator* pass) : pass_(pass), current_(pass->next()) {}
  Datapoint& operator*() { return *current_; }
  Cursor& operator++() {
    current_ = pass_->next();
    return *this;
  }
  bool operator==(std::default_sentinel_t) const { return !current_; }

 private:
  DataIterator* pass_;
  std::optional<Datapoint> current_;
};

inline DataIterator::Cursor DataIterator::begin() {
  return Cursor(this);
}

/// A source of datapoints that can be passed over any number of times.
///
/// Dataflows are light objects to be composed: `BatchData(ShuffleData(mnist), 128)`. A decorator shares
/// ownership of its source, and copies of a dataflow share its sources and its random state.
///
/// To write one: derive, implement `iterator()` (usually `return DataIterator([...]() mutable { ... });` with
/// a lambda that holds the pass's state and does not refer to `this`), and `size()` where it is known.
///
/// Threads: the methods of a dataflow, of its copies and of those that share its source are called by one
/// thread at a time. The passes themselves are independent of each other, unless the class says otherwise.
class DataFlow {
 public:
  virtual ~DataFlow() = default;

  /// Starts a new pass from the beginning. What is random differs from pass to pass.
  virtual DataIterator iterator() = 0;

  /// The number of datapoints of one pass; nullopt when it is infinite or not known before it ends. It is
  /// exact unless a map function drops datapoints: who must see each datapoint once (an evaluation) iterates
  /// to the end instead of counting.
  virtual std::optional<int64_t> size() const { return std::nullopt; }

  /// Makes the next pass a first pass again: the same seed then gives the same data in the same order. A new
  /// dataflow is in this state, so calling it is optional. Passes that have begun go on unchanged.
  virtual void reset_state() {}

 protected:
  DataFlow() = default;
  DataFlow(const DataFlow&) = default;
  DataFlow& operator=(const DataFlow&) = default;
};

/// Shares ownership of a dataflow of any class. Functions that take a dataflow take this: the argument may be
/// a dataflow of a concrete class (which is copied or moved) or a std::shared_ptr to any.
class AnyDataFlow {
 public:
  template <typename Flow>
  requires std::derived_from<std::remove_cvref_t<Flow>, DataFlow> &&
      (!std::is_abstract_v<std::remove_cvref_t<Flow>>)AnyDataFlow(Flow&& flow)
      : flow_(std::make_shared<std::remove_cvref_t<Flow>>(std::forward<Flow>(flow))) {}
  /// Throws UsageError when `flow` is null.
  AnyDataFlow(std::shared_ptr<DataFlow> flow);
  template <std::derived_from<DataFlow> Flow>
  AnyDataFlow(std::shared_ptr<Flow> flow) : AnyDataFlow(std::shared_ptr<DataFlow>(std::move(flow))) {}

  DataFlow& operator*() const { return *flow_; }
  DataFlow* operator->() const { return flow_.get(); }

 private:
  std::shared_ptr<DataFlow> flow_;
};

/// Base of dataflows that change one other dataflow. Keeps its size.
class ProxyDataFlow : public DataFlow {
 public:
  std::optional<int64_t> size() const override { return source_->size(); }
  void reset_state() override { source_->reset_state(); }

 protected:
  explicit ProxyDataFlow(AnyDataFlow source) : source_(std::move(source)) {}

  AnyDataFlow source_;
};

/// The random state of a dataflow: one generator for each pass, all derived from one seed. Copies share it.
/// Safe to use from any thread.
class PassRng {
 public:
  explicit PassRng(uint64_t seed) : seed_(seed), pass_(std::make_shared<std::atomic<uint64_t>>(0)) {}
  /// The generator of a new pass.
  Rng next_pass() { return Rng(seed_, (*pass_)++); }
  void reset() { *pass_ = 0; }

 private:
  uint64_t seed_;
  std::shared_ptr<std::atomic<uint64_t>> pass_;
};

}  // namespace belfry
