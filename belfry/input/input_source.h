#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/dataflow/dataflow.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// Where the inputs of a tower function come from: symbolic tensors, and the values to feed to them with
/// each step, if any. In the order of use:
///
///     input.setup(signature);                 // once; adds nodes to the default graph
///     cost = tower_func(input.input_tensors());
///     ...
///     input.reset_state();                    // before the first step of a pass
///     while (auto values = input.next()) ...  // one step each, feeding them to feed_tensors()
///
/// All methods are called from one thread at a time.
class InputSource {
 public:
  virtual ~InputSource() = default;

  /// For messages: "QueueInput".
  virtual std::string name() const = 0;

  /// Tells the source which inputs it must provide, and lets it build its part of the graph. Throws
  /// UsageError when called twice.
  void setup(const std::vector<TensorSpec>& signature);
  /// The inputs of a tower, in the order of the signature. Requires: setup() was called. Called once for
  /// each tower, inside its TowerContext.
  virtual std::vector<Tensor> input_tensors() = 0;

  /// The placeholders that `next` has values for, in its order; may be empty.
  virtual std::vector<Tensor> feed_tensors() const { return {}; }
  /// The values of the next step, one for each of feed_tensors(); nullopt when a finite source is at its
  /// end, or as soon as `stop` is requested, also while it waits for data. Throws what went wrong in the
  /// data, in whichever thread. Requires: reset_state() was called.
  virtual std::optional<Datapoint> next(std::stop_token stop = {});

  /// Starts a new pass. Called before training, and each time an evaluation begins. May wait for what stop()
  /// has left behind.
  virtual void reset_state() {}
  /// Ends the pass: next() throws UsageError until reset_state is called again. Does not wait for data: what
  /// works in the background ends as soon as it has produced what it has in hand, and is waited for by the
  /// next reset_state or the destructor.
  virtual void stop() {}

  /// What of the data has been taken with next(), in this pass and those before it: what to store so that
  /// resume_at goes on there. It stays when the pass is stopped. nullopt where the source has not begun, or
  /// cannot go on in the middle of its data.
  virtual std::optional<DataPosition> position() const { return std::nullopt; }
  /// Lets the next reset_state() begin at `position` instead of at the data's beginning. Returns false where
  /// the source cannot.
  virtual bool resume_at(const DataPosition& position) {
    (void)position;
    return false;
  }

  /// Number of steps in one pass over the data; nullopt where it has no end or nobody knows.
  virtual std::optional<int64_t> size() const = 0;
  /// What position()'s index reaches in one pass: size(), where it counts steps.
  virtual std::optional<int64_t> data_size() const { return size(); }
  /// Whether a pass ends by itself, next() returning nullopt after the last of the data. Where it does not, a
  /// pass is size() steps.
  virtual bool is_finite() const { return false; }

 protected:
  /// Build nodes here.
  virtual void on_setup() {}
  const std::vector<TensorSpec>& signature() const { return signature_; }
  bool is_set_up() const { return is_set_up_; }

 private:
  std::vector<TensorSpec> signature_;
  bool is_set_up_ = false;
};

/// The placeholder for `spec` at the root of the default graph, named as it is; one that exists already with
/// the same dtype and shape is used again. Throws UsageError when another node has that name.
Tensor build_or_reuse_placeholder(const TensorSpec& spec);

}  // namespace belfry
