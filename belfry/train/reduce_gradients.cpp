#include "belfry/train/reduce_gradients.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/distributed/collectives.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/optim/proxy_optimizer.h"

// Gradients come in about the reverse order of their variables, and are sent in that order: a large one
// alone, where it lies, small ones packed together, as each message costs about as much as 100 kB of it. All
// reductions are begun before the first is waited for; a compiled step puts work in between. The average is
// taken by the loss, which is one number. (Li et al., "PyTorch Distributed", VLDB 2020, has buckets for all.)

namespace belfry {
namespace {

DType wire_dtype(Compression compression, DType dtype) {
  if (dtype != kFloat32 || compression == Compression::kNone) return dtype;
  return compression == Compression::kFloat16 ? kFloat16 : kBFloat16;
}

int64_t elements_of(const Tensor& tensor) {
  int64_t count = 1;
  for (const int64_t size : tensor.shape()) count *= size;
  return count;
}

/// Gradients that travel in one message, packed or alone.
class Bucket {
 public:
  Bucket(DType dtype, DType wire) : dtype_(dtype), wire_(wire) {}

  void add(Tensor* gradient) {
    gradients_.push_back(gradient);
    bytes_ += elements_of(*gradient) * static_cast<int64_t>(c10::elementSize(wire_));
  }
  int64_t bytes() const { return bytes_; }
  DType dtype() const { return dtype_; }

  void start() {
    Tensor message = *gradients_[0];
    if (gradients_.size() > 1) {
      std::vector<Tensor> parts;
      for (const Tensor* gradient : gradients_) parts.push_back(reshape(*gradient, {elements_of(*gradient)}));
      message = concat(parts, 0);
    }
    started_ = all_reduce_start(wire_ == dtype_ ? message : cast(message, wire_));
  }

  void wait() {
    Tensor message = all_reduce_wait(started_);
    if (wire_ != dtype_) message = cast(message, dtype_);
    if (gradients_.size() == 1) {
      *gradients_[0] = message;
      return;
    }
    int64_t offset = 0;
    for (Tensor* gradient : gradients_) {
      const int64_t count = elements_of(*gradient);
      const Tensor part = call("aten::narrow", {message}, {{"dim", 0}, {"start", offset}, {"length", count}});
      *gradient = reshape(part, gradient->shape());
      offset += count;
    }
  }

 private:
  DType dtype_, wire_;
  std::vector<Tensor*> gradients_;
  int64_t bytes_ = 0;
  Tensor started_;
};

GradientsAndVariables reduce(GradientsAndVariables gradients, const ReductionOptions& options) {
  const NameScope scope("AllReduce");
  std::vector<Bucket> buckets;
  std::vector<Bucket> open;  // of small ones, one for each dtype
  const auto close = [&](Bucket bucket) {
    bucket.start();
    buckets.push_back(std::move(bucket));
  };
  for (auto pair = gradients.rbegin(); pair != gradients.rend(); ++pair) {
    if (!pair->gradient) continue;
    const DType dtype = pair->gradient.dtype();
    Bucket alone(dtype, wire_dtype(options.compression, dtype));
    alone.add(&pair->gradient);
    if (alone.bytes() * 4 >= options.bucket_bytes) {
      close(std::move(alone));
      continue;
    }
    auto same = std::ranges::find(open, dtype, &Bucket::dtype);
    if (same == open.end())
      same = open.insert(open.end(), Bucket(dtype, wire_dtype(options.compression, dtype)));
    same->add(&pair->gradient);
    if (same->bytes() < options.bucket_bytes) continue;
    close(std::move(*same));
    open.erase(same);
  }
  for (Bucket& bucket : open) close(std::move(bucket));
  for (Bucket& bucket : buckets) bucket.wait();
  return gradients;
}

class DistributedOptimizer : public ProxyOptimizer {
 public:
  DistributedOptimizer(std::unique_ptr<Optimizer> optimizer, const ReductionOptions& options)
      : ProxyOptimizer(std::move(optimizer)), options_(options) {}

  using Optimizer::apply_gradients;
  GradientsAndVariables compute_gradients(const Tensor& loss,
                                          const std::vector<Variable>& variables) override {
    return inner().compute_gradients(options_.average ? loss * (1.0 / world_size()) : loss, variables);
  }

  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override {
    bool is_reduced = false;
    const Combine combine = [&](const GradientsAndVariables& here) {
      is_reduced = true;
      return reduce(options.combine ? options.combine(here) : here, options_);
    };
    const Tensor update = inner().apply_gradients(
        gradients, {.global_step = options.global_step, .name = options.name, .combine = combine});
    if (!is_reduced) {
      throw UsageError(
          fmt::format("[distributed_optimizer] expected an optimizer that calls ApplyOptions::combine, got "
                      "{}, which does "
                      "not: every process would train alone",
                      inner().name()));
    }
    return update;
  }

 private:
  ReductionOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> distributed_optimizer(std::unique_ptr<Optimizer> optimizer,
                                                 const ReductionOptions& options) {
  if (!optimizer) throw UsageError("[distributed_optimizer] expected an optimizer, got null");
  if (world_size() == 1) return optimizer;
  return std::make_unique<DistributedOptimizer>(std::move(optimizer), options);
}

}  // namespace belfry
