#pragma once

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
#include "belfry/base/shared.h"
#include "belfry/dataflow/datapoint.h"

namespace belfry {

/// A place in the data: `index` datapoints of pass number `pass` have been taken. Passes count from 0.
struct DataPosition {
  int64_t pass = 0;
  int64_t index = 0;
  bool operator==(const DataPosition&) const = default;
};

/// What a DataIterator is made of: a function, or an object with a method next(), that returns the next
/// datapoint, or nullopt at the end.
template <typename T>
concept MakesDatapoints = std::is_invocable_r_v<std::optional<Datapoint>, T&> || requires(T& t) {
  { t.next() } -> std::convertible_to<std::optional<Datapoint>>;
};

/// One pass over a dataflow. Move-only; owns everything it needs, so it may outlive the dataflow that made
/// it. Destroying it early is always allowed: it stops and joins the threads that work for it. One thread at
/// a time may use a pass; it need not be the thread that made it.
///
///     for (Datapoint& dp : flow.iterator()) ...
class DataIterator {
 public:
  /// An object may, besides next(), have `int64_t skip(int64_t count)`, which does what skip() below says
  /// faster than by calling next(). `next` may be move-only.
  template <MakesDatapoints Next>
  requires(!std::same_as<Next, DataIterator>) explicit DataIterator(Next next)
      : pass_(std::make_unique<PassOf<Next>>(std::move(next))) {}

  /// The next datapoint, or nullopt when the pass is over. May throw whatever the dataflow's functions and
  /// files cause. Once it has returned nullopt or thrown the pass is over for good: its threads and memory
  /// are released and further calls return nullopt.
  std::optional<Datapoint> next();

  /// Leaves out the next `count` datapoints and returns how many there were: fewer than `count` only when
  /// the pass ended. What follows is what would have followed `count` calls of next(), but where it can a
  /// dataflow does not make what nobody sees: lists and tensors step over their rows at once, batches and map
  /// functions that never drop hand the request to their source, others read on and throw away. May throw
  /// what next() may; throws UsageError when `count` is negative.
  int64_t skip(int64_t count);

  /// Where this pass stands: what to store so that `DataFlow::iterator_at` goes on from here. The pass number
  /// is 0 for passes that `DataFlow::start_pass` started.
  const DataPosition& position() const { return position_; }

  class Cursor;
  Cursor begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class DataFlow;

  struct Pass {
    virtual ~Pass() = default;
    virtual std::optional<Datapoint> next() = 0;
    virtual int64_t skip(int64_t count);
  };
  template <typename Next>
  struct PassOf final : Pass {
    explicit PassOf(Next next) : next_(std::move(next)) {}
    std::optional<Datapoint> next() override {
      if constexpr (requires { next_.next(); }) {
        return next_.next();
      } else {
        return next_();
      }
    }
    int64_t skip(int64_t count) override {
      if constexpr (requires { next_.skip(count); }) {
        return next_.skip(count);
      } else {
        return Pass::skip(count);
      }
    }
    Next next_;
  };

  std::unique_ptr<Pass> pass_;
  DataPosition position_;
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
/// ownership of its source, and copies of a dataflow share its sources and the number of its next pass.
///
/// Passes are numbered. What is random in one depends on the seeds and on that number alone, so a pass can be
/// had again, from its beginning or from the middle: `iterator_at`.
///
/// To write one: derive and implement `start_pass()`, and `size()` where it is known. The simplest
/// implementation is `return DataIterator([...]() mutable { ... });` with a lambda that holds the pass's
/// state and does not refer to `this`.
///
/// Threads: the methods of a dataflow, of its copies and of those that share its source are called by one
/// thread at a time. The passes themselves are independent of each other, unless the class says otherwise.
class DataFlow {
 public:
  static constexpr const char* kExpected = "[AnyDataFlow] expected a dataflow";

  virtual ~DataFlow() = default;

  /// Starts the next pass, from its beginning: number 0 at first, then 1, and so on.
  DataIterator iterator();

  /// Starts pass number `pass`, from its beginning, whatever was started before. This is what decorators call
  /// on their source, and what a dataflow implements: one with random numbers draws them from
  /// `Rng(seed, pass)`, one whose passes are all alike ignores the number.
  virtual DataIterator start_pass(int64_t pass) = 0;

  /// Starts a pass in the middle, so that exactly those datapoints follow which would have followed in an
  /// uninterrupted pass: how training goes on after a restart. `iterator()` then starts the pass after it.
  /// Costs what DataIterator::skip costs.
  ///
  /// Throws UsageError when a number is negative or the pass has fewer than `position.index` datapoints.
  DataIterator iterator_at(DataPosition position);

  /// The number of datapoints of one pass; nullopt when it is infinite or not known before it ends. It is
  /// exact unless a map function drops datapoints: who must see each datapoint once (an evaluation) iterates
  /// to the end instead of counting.
  virtual std::optional<int64_t> size() const { return std::nullopt; }

  /// Whether `iterator_at` finds in another process what would have followed here. False where what was taken
  /// is gone, a queue or a network, and for what is made of such sources.
  virtual bool can_resume() const { return true; }

  /// Makes the next pass number 0 again: the same seed then gives the same data in the same order. A new
  /// dataflow is in this state, so calling it is optional. Passes that have begun go on unchanged.
  virtual void reset_state() { *next_pass_ = 0; }

 protected:
  DataFlow() = default;
  DataFlow(const DataFlow&) = default;
  DataFlow& operator=(const DataFlow&) = default;

 private:
  std::shared_ptr<std::atomic<int64_t>> next_pass_ = std::make_shared<std::atomic<int64_t>>(0);
};

/// Shares ownership of a dataflow of any class. Functions that take a dataflow take this: the argument may be
/// a dataflow of a concrete class (which is copied or moved) or a std::shared_ptr to any.
using AnyDataFlow = NotNull<DataFlow>;

/// Base of dataflows that change one other dataflow. Keeps its size.
class ProxyDataFlow : public DataFlow {
 public:
  std::optional<int64_t> size() const override { return source_->size(); }
  bool can_resume() const override { return source_->can_resume(); }
  void reset_state() override {
    DataFlow::reset_state();
    source_->reset_state();
  }

 protected:
  explicit ProxyDataFlow(AnyDataFlow source) : source_(std::move(source)) {}

  AnyDataFlow source_;
};

}  // namespace belfry
