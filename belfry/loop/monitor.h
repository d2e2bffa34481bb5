#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

/// Receives what training wants to show: scalars, histograms and images. TFEventWriter, JSONWriter and
/// ScalarPrinter are monitors. Monitors are callbacks, and are called after all others.
class Monitor : public Callback {
 public:
  /// `step` is the global step the value belongs to.
  virtual void put_scalar(const std::string& tag, double value, int64_t step) = 0;
  /// `values`: any shape, float; writers choose the buckets.
  virtual void put_histogram(const std::string& tag, const at::Tensor& values, int64_t step) {
    (void)tag, (void)values, (void)step;
  }
  /// `images`: uint8 [N, H, W, C] on the CPU, C is 1, 3 or 4.
  virtual void put_image(const std::string& tag, const at::Tensor& images, int64_t step) {
    (void)tag, (void)images, (void)step;
  }
  virtual void put_text(const std::string& tag, const std::string& text, int64_t step) {
    (void)tag, (void)text, (void)step;
  }
};

/// All the monitors of a trainer, and the history of their scalars.
class Monitors {
 public:
  void add(std::shared_ptr<Monitor> monitor) { monitors_.push_back(std::move(monitor)); }

  /// Give a value to every monitor, at the trainer's current global step.
  void put_scalar(const std::string& tag, double value);
  void put_histogram(const std::string& tag, const at::Tensor& values);
  /// `images`: [N, H, W, C] or [H, W, C], where C is 1, 3 or 4, or grey ones [N, H, W] or [H, W], on any
  /// device; other shapes are a UsageError. Values of another dtype than uint8 are pixels from 0 to 255: what
  /// lies outside is clamped, NaN is black.
  void put_image(const std::string& tag, const at::Tensor& images);

  void put_text(const std::string& tag, const std::string& text);

  /// The newest value put under `tag`, with the global step it was put at.
  struct Latest {
    double value;
    int64_t step;
  };
  std::optional<Latest> get_latest(const std::string& tag) const;
  /// The tags that have values, sorted.
  std::vector<std::string> tags() const;
  /// Every value put under `tag`, oldest first.
  const std::vector<Latest>& get_history(const std::string& tag) const;

 private:
  friend class Trainer;
  int64_t step() const;

  Trainer* trainer_ = nullptr;
  std::vector<std::shared_ptr<Monitor>> monitors_;
  std::map<std::string, std::vector<Latest>> history_;
};

}  // namespace belfry
