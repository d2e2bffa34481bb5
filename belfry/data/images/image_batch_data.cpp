#include "belfry/data/images/image_batch_data.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <mutex>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/data/images/internal/encoded_image.h"
#include "belfry/data/imgaug/internal/normalize.h"
#include "belfry/dataflow/internal/batch_builder.h"
#include "belfry/dataflow/internal/batching.h"
#include "belfry/dataflow/internal/describe.h"

// Images are decoded and augmented by threads straight into their rows of a batch. Three parts: SlotPass
// gives datapoints their slots, in the order of the source; `fill` runs in any thread and writes its row
// alone; ImageBatchPass takes rows in order and collates what is beside the images. Invariant: random
// numbers belong to the datapoint's index, so that batches do not depend on threads.
namespace belfry {
namespace {

struct Work {
  int64_t batch_size;
  imgaug::AnyAugmentor augmentor;
  ImageBatchDataOptions options;
  int64_t pass;
};

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

// The images of a batch that is being made, in any order.
struct Batch {
  std::mutex mutex;   // of `images`, until it is there
  at::Tensor images;  // [batch_size, H, W, C]
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

// An image on its way to its slot of a batch.
struct Image {
  at::Tensor image;  // undefined where the datapoint has none
  std::shared_ptr<Batch> batch;
  int64_t slot, index;
  Datapoint datapoint;  // without the image
};

// What has become of an image.
struct Row {
  std::shared_ptr<Batch> batch;
  Datapoint datapoint;  // without the image
  std::exception_ptr error;
};

// Runs where the source runs: gives each datapoint its slot in a batch.
struct SlotPass {
  std::optional<Image> next() {
    std::optional<Datapoint> datapoint = source.next();
    if (!datapoint) return std::nullopt;
    if (slot == 0) batch = std::make_shared<Batch>();
    const auto i = static_cast<size_t>(work->options.index);
    Image image{.image = i < datapoint->size() ? std::move((*datapoint)[i]) : at::Tensor(),
                .batch = batch,
                .slot = slot,
                .index = index++,
                .datapoint = std::move(*datapoint)};
    slot = (slot + 1) % work->batch_size;
    return image;
  }

  DataIterator source;
  std::shared_ptr<const Work> work;
  int64_t index = 0;  // of the source's next datapoint
  int64_t slot = 0;
  std::shared_ptr<Batch> batch = {};
};

// Runs in the threads.
void fill(const Image& from, const Work& work, BatchMemory& memory) {
  try {
    if (!from.image.defined()) {
      throw DataError(fmt::format("expected an image as component {}", work.options.index));
    }
    Rng rng(work.options.seed, static_cast<uint64_t>(work.pass), static_cast<uint64_t>(from.index));
    const at::Tensor image =
        imgaug::internal::augment_any(from.image, *work.augmentor, rng, work.options.decode_augment);
    const at::Tensor out = slot_for(*from.batch, from.slot, image, work, memory);
    if (!work.options.as_uint8 && image.dim() == 3 && image.size(2) > 3)
      throw DataError("expected images of at most 3 channels, as mean and std are for, got " +
                      internal::describe(image));
    if (!work.options.as_uint8)
      return imgaug::internal::normalize(image, work.options.mean, work.options.std, out);
    if (image.scalar_type() != at::kByte) {
      throw DataError("expected uint8 images from the augmentor, got " + internal::describe(image));
    }
    std::memcpy(out.mutable_data_ptr(), image.const_data_ptr(), image.nbytes());
  } catch (...) {
    rethrow_with_context(fmt::format("[ImageBatchData] datapoint {}", from.index));
  }
}

at::Tensor stack(const std::vector<Row>& rows, size_t c) {
  std::vector<at::Tensor> values;
  for (const Row& row : rows) {
    const Datapoint &datapoint = row.datapoint, &first = rows.front().datapoint;
    const bool fits = datapoint.size() == first.size() && first[c].defined() && datapoint[c].defined() &&
                      datapoint[c].sizes() == first[c].sizes() &&
                      datapoint[c].scalar_type() == first[c].scalar_type();
    if (!fits) {
      throw DataError(
          fmt::format("[ImageBatchData] expected component {} to be {} as in the batch's first "
                      "datapoint, got {} in datapoint {} of it",
                      c, internal::describe(first[c]),
                      c < datapoint.size() ? internal::describe(datapoint[c]) : "none", values.size()));
    }
    values.push_back(datapoint[c]);
  }
  return at::stack(values);
}

Datapoint collate(const std::vector<Row>& rows, const Work& work) {
  const at::Tensor& images = rows.front().batch->images;
  const auto count = static_cast<int64_t>(rows.size());
  Datapoint collated(rows.front().datapoint.size());
  for (size_t c = 0; c < collated.size(); ++c) {
    if (static_cast<int64_t>(c) != work.options.index) {
      collated[c] = stack(rows, c);
    } else {
      collated[c] = count == work.batch_size ? images : images.narrow(0, 0, count);
    }
  }
  return collated;
}

// Runs where the consumer runs: a batch is complete when all its rows have come.
class ImageBatchPass {
 public:
  ImageBatchPass(DataIterator source, std::shared_ptr<const Work> work)
      : work_(work), slots_(std::make_shared<SlotPass>(SlotPass{std::move(source), std::move(work)})) {}

  std::optional<Datapoint> next() {
    if (!rows_) start();
    std::vector<Row> rows;
    std::exception_ptr error;
    bool is_broken = false;  // the source is
    try {
      while (static_cast<int64_t>(rows.size()) < work_->batch_size) {
        std::optional<Row> row = rows_->next();
        if (!row) break;
        if (row->error && !error) error = row->error;
        rows.push_back(std::move(*row));
      }
    } catch (...) {
      is_broken = true;
      if (!error) error = std::current_exception();
    }
    const bool is_full = static_cast<int64_t>(rows.size()) == work_->batch_size;
    if (!is_broken && (rows.empty() || (!is_full && !work_->options.remainder))) return std::nullopt;
    if (error) std::rethrow_exception(error);
    return collate(rows, *work_);
  }

  int64_t skip(int64_t count) {
    if (!rows_) {
      struct Counted {
        int64_t skip(int64_t n) {
          const int64_t skipped = slots.source.skip(n);
          slots.index += skipped;
          return skipped;
        }
        SlotPass& slots;
      } source{*slots_};
      return internal::Batching{work_->batch_size, work_->options.remainder}.skip(source, count);
    }
    int64_t skipped = 0;
    while (skipped < count && next()) ++skipped;
    return skipped;
  }

 private:
  using Workers = OrderedWorkers<Image, Row>;

  // Whole batches are in work at any time, and the consumer is woken for a whole one.
  void start() {
    auto fill_row = [work = work_, memory = std::make_shared<BatchMemory>()](Image image, Workers::Turn) {
      std::exception_ptr error;
      try {
        fill(image, *work, *memory);
      } catch (...) {
        error = std::current_exception();
      }
      return Row{std::move(image.batch), std::move(image.datapoint), std::move(error)};
    };
    rows_ = std::make_unique<Workers>(
        [slots = slots_](const std::stop_token&) { return slots->next(); }, std::move(fill_row),
        OrderedWorkersOptions{.num_thread = static_cast<size_t>(work_->options.num_thread),
                              .window = static_cast<size_t>(work_->options.buffer_size * work_->batch_size),
                              .group = static_cast<size_t>(work_->batch_size)});
  }

  std::shared_ptr<const Work> work_;
  std::shared_ptr<SlotPass> slots_;
  std::unique_ptr<Workers> rows_;
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
  internal::check_pinned(options_.pinned, "ImageBatchData");
}

std::optional<int64_t> ImageBatchData::size() const {
  return internal::Batching{batch_size_, options_.remainder}.batches_in(source_->size());
}

DataIterator ImageBatchData::start_pass(int64_t pass) {
  return DataIterator(
      ImageBatchPass(source_->start_pass(pass),
                     std::make_shared<const Work>(Work{batch_size_, augmentor_, options_, pass})));
}

}  // namespace belfry
