#include "belfry/dataflow/imgaug/image_batch_data.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/dataflow/imgaug/internal/encoded_image.h"
#include "belfry/dataflow/imgaug/internal/normalize.h"

namespace belfry {
namespace {

struct Work {
  int64_t batch_size;
  imgaug::AnyAugmentor augmentor;
  ImageBatchDataOptions options;
  int64_t pass;
};

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return fmt::format("{} [{}]", c10::toString(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "));
}

// Memory of batches that comes back when no tensor shares it any more: new memory of that size would come
// from the system, page by page, each time.
class BatchMemory {
 public:
  at::Tensor take(at::IntArrayRef shape, at::TensorOptions options) {
    at::Tensor memory;
    {
      std::lock_guard lock(free_->mutex);
      while (!free_->tensors.empty() && !memory.defined()) {
        if (free_->tensors.back().sizes() == shape) memory = std::move(free_->tensors.back());
        free_->tensors.pop_back();  // where the size has changed, for good
      }
    }
    if (!memory.defined()) memory = at::empty(shape, options);
    auto give_back = [memory, to = free_](void*) mutable {
      std::lock_guard lock(to->mutex);
      if (to->tensors.size() < kMost) to->tensors.push_back(std::move(memory));
    };
    return at::from_blob(memory.mutable_data_ptr(), shape, std::move(give_back), options);
  }

 private:
  static constexpr size_t kMost = 4;
  struct Free {
    std::mutex mutex;
    std::vector<at::Tensor> tensors;
  };
  std::shared_ptr<Free> free_ = std::make_shared<Free>();
};

// A batch that is being made: datapoints come in order, images are done in any order.
struct Batch {
  std::mutex mutex;   // of `images`, until it is there
  at::Tensor images;  // [batch_size, H, W, C]
  std::vector<Datapoint> datapoints;
  int64_t done = 0;     // how many of them
  bool closed = false;  // no more datapoints come
  // Of the first datapoint that failed.
  std::exception_ptr error;
  int64_t error_slot = std::numeric_limits<int64_t>::max();
};

// The part of `images` for the image of a slot. The first image tells the size of all.
at::Tensor slot_for(Batch& batch, int64_t slot, const at::Tensor& image, const Work& work,
                    BatchMemory& memory) {
  std::lock_guard lock(batch.mutex);
  if (!batch.images.defined()) {
    std::vector<int64_t> shape = image.sizes().vec();
    shape.insert(shape.begin(), work.batch_size);
    batch.images = memory.take(
        shape,
        at::TensorOptions(work.options.as_uint8 ? at::kByte : at::kFloat).pinned_memory(work.options.pinned));
  }
  if (image.sizes() != batch.images.sizes().slice(1)) {
    throw DataError(fmt::format("expected an image of [{}] as others of its batch, got [{}]",
                                fmt::join(batch.images.sizes().slice(1), ", "),
                                fmt::join(image.sizes(), ", ")));
  }
  return batch.images.select(0, slot);
}

// Note "Order of image batches": a worker takes a datapoint and the next slot of the last batch while it
// holds `source_mutex_`, so slots follow the source's order. It opens a batch only while there are fewer than
// `buffer_size`, so memory is bounded; the consumer takes batches from the front when all of their slots are
// done. A worker never waits while it has a slot, so the front batch always gets done.
class ImageBatches {
 public:
  /// `first` is the index of the source's next datapoint.
  ImageBatches(DataIterator source, std::shared_ptr<const Work> work, int64_t first)
      : work_(std::move(work)), source_(std::move(source)), index_(first) {
    try {
      for (int64_t i = 0; i < work_->options.num_thread; ++i) threads_.emplace_back([this] { run(); });
    } catch (...) {
      stop();  // the system has no more threads
      throw;
    }
  }
  ~ImageBatches() { stop(); }

  std::optional<Datapoint> next() {
    std::shared_ptr<Batch> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return batches_.empty() ? ended_ : is_done(*batches_.front()); });
      if (batches_.empty()) return std::nullopt;
      batch = std::move(batches_.front());
      batches_.pop_front();
    }
    has_room_.notify_all();
    if (batch->error) std::rethrow_exception(batch->error);
    return collate(*batch);
  }

 private:
  static bool is_done(const Batch& batch) {
    return batch.closed && batch.done == static_cast<int64_t>(batch.datapoints.size());
  }

  struct Slot {
    std::shared_ptr<Batch> batch;
    int64_t slot = 0, index = 0;
    at::Tensor image;
  };

  void run() {
    while (std::optional<Slot> slot = take()) {
      std::exception_ptr error;
      try {
        fill(*slot);
      } catch (...) {
        error = std::current_exception();
      }
      std::lock_guard lock(mutex_);
      Batch& batch = *slot->batch;
      ++batch.done;
      if (error && slot->slot < batch.error_slot) {
        batch.error = error, batch.error_slot = slot->slot;
      }
      if (is_done(batch)) changed_.notify_all();
    }
  }

  // The next datapoint and its place; nullopt when there is none, or the pass is to end.
  std::optional<Slot> take() {
    std::lock_guard source_lock(source_mutex_);
    {
      std::unique_lock lock(mutex_);
      has_room_.wait(lock, [&] {
        return ended_ || (!batches_.empty() && !batches_.back()->closed) ||
               static_cast<int64_t>(batches_.size()) < work_->options.buffer_size;
      });
      if (ended_) return std::nullopt;
    }
    std::optional<Datapoint> datapoint;
    std::exception_ptr error;
    try {
      datapoint = source_.next();
    } catch (...) {
      error = std::current_exception();
    }
    std::lock_guard lock(mutex_);
    if (!datapoint) {
      end(error);
      return std::nullopt;
    }
    return place(std::move(*datapoint));
  }

  // These two: with mutex_ held.
  Slot place(Datapoint datapoint) {
    if (batches_.empty() || batches_.back()->closed) batches_.push_back(std::make_shared<Batch>());
    const std::shared_ptr<Batch>& batch = batches_.back();
    const auto i = static_cast<size_t>(work_->options.index);
    Slot slot{.batch = batch,
              .slot = static_cast<int64_t>(batch->datapoints.size()),
              .index = index_++,
              .image = i < datapoint.size() ? std::move(datapoint[i]) : at::Tensor()};
    batch->datapoints.push_back(std::move(datapoint));
    batch->closed = slot.slot + 1 == work_->batch_size;
    return slot;
  }
  void end(const std::exception_ptr& error) {
    ended_ = true;
    const bool has_open = !batches_.empty() && !batches_.back()->closed;
    if (error && !has_open) batches_.push_back(std::make_shared<Batch>());
    if (error || has_open) batches_.back()->closed = true;
    if (error && !batches_.back()->error) batches_.back()->error = error;
    if (!error && has_open && !work_->options.remainder) batches_.pop_back();
    has_room_.notify_all();
    changed_.notify_all();
  }

  void fill(const Slot& slot) {
    try {
      if (!slot.image.defined()) {
        throw DataError(fmt::format("expected an image as component {}", work_->options.index));
      }
      Rng rng(work_->options.seed, static_cast<uint64_t>(work_->pass), static_cast<uint64_t>(slot.index));
      const at::Tensor image =
          imgaug::augment_any(slot.image, *work_->augmentor, rng, work_->options.decode_augment);
      const at::Tensor out = slot_for(*slot.batch, slot.slot, image, *work_, memory_);
      if (!work_->options.as_uint8)
        return imgaug::normalize(image, work_->options.mean, work_->options.std, out);
      if (image.scalar_type() != at::kByte) {
        throw DataError("expected uint8 images from the augmentor, got " + describe(image));
      }
      std::memcpy(out.mutable_data_ptr(), image.const_data_ptr(), image.nbytes());
    } catch (...) {
      rethrow_with_context(fmt::format("[ImageBatchData] datapoint {}", slot.index));
    }
  }

  Datapoint collate(const Batch& batch) const {
    const auto count = static_cast<int64_t>(batch.datapoints.size());
    Datapoint collated(batch.datapoints.front().size());
    for (size_t c = 0; c < collated.size(); ++c) {
      if (static_cast<int64_t>(c) == work_->options.index) {
        collated[c] = count == work_->batch_size ? batch.images : batch.images.narrow(0, 0, count);
      } else {
        collated[c] = stack(batch, c);
      }
    }
    return collated;
  }

  at::Tensor stack(const Batch& batch, size_t c) const {
    std::vector<at::Tensor> values;
    for (const Datapoint& datapoint : batch.datapoints) {
      const Datapoint& first = batch.datapoints.front();
      const bool fits = datapoint.size() == first.size() && first[c].defined() && datapoint[c].defined() &&
                        datapoint[c].sizes() == first[c].sizes() &&
                        datapoint[c].scalar_type() == first[c].scalar_type();
      if (!fits) {
        throw DataError(fmt::format(
            "[ImageBatchData] expected component {} to be {} as in the batch's first "
            "datapoint, got {} in datapoint {} of it",
            c, describe(first[c]), c < datapoint.size() ? describe(datapoint[c]) : "none", values.size()));
      }
      values.push_back(datapoint[c]);
    }
    return at::stack(values);
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    has_room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  const std::shared_ptr<const Work> work_;
  BatchMemory memory_;
  std::mutex source_mutex_;  // guards source_; taken before mutex_
  DataIterator source_;

  std::mutex mutex_;  // guards the members below, and of the batches all but `images`
  std::condition_variable has_room_, changed_;
  std::deque<std::shared_ptr<Batch>> batches_;
  int64_t index_;
  bool ended_ = false;

  std::vector<std::thread> threads_;
};

struct ImageBatchPass {
  std::optional<Datapoint> next() {
    if (!running) running = std::make_unique<ImageBatches>(std::move(source), work, first);
    return running->next();
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    if (running) {
      while (skipped < count && next()) ++skipped;
      return skipped;
    }
    const int64_t most = std::numeric_limits<int64_t>::max() / work->batch_size;
    const int64_t datapoints = source.skip(std::min(count, most) * work->batch_size);
    first += datapoints;
    return datapoints / work->batch_size + (work->options.remainder && datapoints % work->batch_size != 0);
  }

  DataIterator source;
  std::shared_ptr<const Work> work;
  int64_t first = 0;
  std::unique_ptr<ImageBatches> running = {};
};

void check_positive(const char* what, double value) {
  if (!(value > 0)) throw UsageError(fmt::format("[ImageBatchData] expected {} > 0, got {}", what, value));
}

}  // namespace

ImageBatchData::ImageBatchData(AnyDataFlow source, int64_t batch_size, imgaug::AnyAugmentor augmentor,
                               ImageBatchDataOptions options)
    : ProxyDataFlow(std::move(source)),
      batch_size_(batch_size),
      augmentor_(std::move(augmentor)),
      options_(std::move(options)) {
  check_positive("batch_size", static_cast<double>(batch_size_));
  check_positive("num_thread", static_cast<double>(options_.num_thread));
  check_positive("buffer_size", static_cast<double>(options_.buffer_size));
  for (double std : options_.std) check_positive("std", std);
  if (options_.index < 0) {
    throw UsageError(fmt::format("[ImageBatchData] expected a component index >= 0, got {}", options_.index));
  }
  const ImageBatchDataOptions plain;
  if (options_.as_uint8 && (options_.mean != plain.mean || options_.std != plain.std)) {
    throw UsageError("[ImageBatchData] expected `as_uint8` or a normalisation, got both");
  }
  if (options_.pinned && !at::hasCUDA()) {
    throw UsageError("[ImageBatchData] expected pinned = false: there is no CUDA device to pin memory for");
  }
}

std::optional<int64_t> ImageBatchData::size() const {
  std::optional<int64_t> n = source_->size();
  if (!n) return std::nullopt;
  return *n / batch_size_ + (options_.remainder && *n % batch_size_ != 0);
}

DataIterator ImageBatchData::start_pass(int64_t pass) {
  return DataIterator(
      ImageBatchPass{source_->start_pass(pass),
                     std::make_shared<const Work>(Work{batch_size_, augmentor_, options_, pass})});
}

}  // namespace belfry
