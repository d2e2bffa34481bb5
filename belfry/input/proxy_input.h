#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/input/input_source.h"

namespace belfry {

/// Base of sources that change one other source. Hands everything on to it.
class ProxyInputSource : public InputSource {
 public:
  std::string name() const override { return input_->name(); }
  std::vector<Tensor> input_tensors() override { return input_->input_tensors(); }
  std::vector<Tensor> feed_tensors() const override { return input_->feed_tensors(); }
  std::optional<Datapoint> next(std::stop_token stop = {}) override { return input_->next(std::move(stop)); }
  void reset_state() override { input_->reset_state(); }
  void stop() override { input_->stop(); }
  std::optional<DataPosition> position() const override { return input_->position(); }
  bool resume_at(const DataPosition& position) override { return input_->resume_at(position); }
  std::optional<int64_t> size() const override { return input_->size(); }
  std::optional<int64_t> data_size() const override { return input_->data_size(); }
  bool is_finite() const override { return input_->is_finite(); }

 protected:
  /// Throws UsageError when `input` is null.
  explicit ProxyInputSource(Shared<InputSource> input);
  void on_setup() override { input_->setup(signature()); }

  Shared<InputSource> input_;
};

/// A source for models of more inputs than `input` provides, or of another order: `names` says which inputs
/// of the model its tensors are. The others are placeholders of their names, for somebody else to feed.
///
///     .data = remap_input_source(QueueInput(images_and_labels), {"image", "label"})
///
/// Throws UsageError when `input` is null, there is no name, or one comes twice; at setup when the model has
/// no input of a name.
Shared<InputSource> remap_input_source(Shared<InputSource> input, std::vector<std::string> names);

/// Placeholders, named as the inputs and at the root of the graph, for which it has no values: a callback, or
/// who runs the graph, feeds them.
class PlaceholderInput : public InputSource {
 public:
  std::string name() const override { return "PlaceholderInput"; }
  std::vector<Tensor> input_tensors() override { return placeholders_; }
  std::optional<int64_t> size() const override { return std::nullopt; }

 private:
  void on_setup() override;
  std::vector<Tensor> placeholders_;
};

}  // namespace belfry
