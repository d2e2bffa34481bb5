#include "belfry/input/staging_input.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"

// tensorpack's StagingInput, without an operator in the graph: the copy is begun on its own stream when the
// step before begins, and the stream of the step waits for its end, not the processor.

namespace belfry {

/// The stream on which values are copied to one GPU, and the end of the last copies.
class StagingInput::Copies {
 public:
  explicit Copies(c10::Device device)
      : device_(device),
        guard_(device.type()),
        stream_(guard_.getStreamFromGlobalPool(device)),
        done_(device.type()) {}

  Datapoint begin(const Datapoint& values) {
    const c10::StreamGuard on_own_stream(stream_);
    sources_.clear();
    Datapoint copies;
    for (const at::Tensor& value : values) {
      const at::Tensor source = value.is_cpu() && !value.is_pinned() ? value.pin_memory() : value;
      sources_.push_back(source);
      copies.push_back(source.to(device_, value.scalar_type(), /*non_blocking=*/true));
    }
    done_.record(stream_);
    return copies;
  }

  /// Lets the stream of the coming step wait for what was begun.
  void finish(const Datapoint& copies) {
    const c10::Stream now = guard_.getStream(device_);
    done_.block(now);
    for (const at::Tensor& copy : copies) copy.record_stream(now);
  }

 private:
  c10::Device device_;
  c10::impl::VirtualGuardImpl guard_;
  c10::Stream stream_;
  c10::Event done_;
  Datapoint sources_;  ///< kept until they are copied
};

StagingInput::StagingInput(Shared<InputSource> input, c10::Device device)
    : input_(std::move(input)), device_(device) {
  if (!input_) throw UsageError("[StagingInput] expected an input source, got null");
}

void StagingInput::reset_state() {
  if (!device_.is_cpu() && !copies_) {
    try {
      copies_ = std::make_shared<Copies>(device_);
    } catch (const std::exception& e) {
      throw ResourceError(
          fmt::format("[StagingInput] expected the device {}, got: {}", device_.str(), e.what()));
    }
  }
  has_begun_ = false;
  staged_.reset();
  input_->reset_state();
}

std::optional<Datapoint> StagingInput::next(std::stop_token stop) {
  if (!copies_) return input_->next(std::move(stop));
  const auto take = [&] {
    std::optional<Datapoint> values = input_->next(stop);
    staged_position_ = input_->position();
    staged_ = values ? std::optional(copies_->begin(*values)) : std::nullopt;
  };
  if (!std::exchange(has_begun_, true)) take();
  if (!staged_) return std::nullopt;
  copies_->finish(*staged_);
  const Datapoint now = std::move(*staged_);
  position_ = staged_position_;
  take();
  return now;
}

void StagingInput::stop() {
  staged_.reset();
  input_->stop();
}

std::optional<DataPosition> StagingInput::position() const {
  return copies_ ? position_ : input_->position();
}

}  // namespace belfry
