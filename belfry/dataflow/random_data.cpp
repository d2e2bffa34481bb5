#include "belfry/dataflow/random_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/can_all_resume.h"

namespace belfry {
namespace {

std::vector<DataIterator> start_passes(const std::vector<AnyDataFlow>& sources, int64_t pass) {
  std::vector<DataIterator> passes;
  for (const AnyDataFlow& source : sources) passes.push_back(source->start_pass(pass));
  return passes;
}

void reset_states(const std::vector<AnyDataFlow>& sources) {
  for (const AnyDataFlow& source : sources) source->reset_state();
}

// The upper bound of each source's part of [0, 1).
std::vector<double> bounds_of(const std::vector<double>& probabilities, size_t count) {
  double total = 0, sum = 0;
  for (double p : probabilities) total += p;
  std::vector<double> bounds;
  for (size_t i = 0; i < count; ++i) {
    sum += probabilities.empty() ? 1.0 : probabilities[i];
    bounds.push_back(sum / (probabilities.empty() ? static_cast<double>(count) : total));
  }
  return bounds;
}

struct ChoosePass {
  std::optional<Datapoint> next() { return passes[choose()].next(); }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    while (skipped < count && passes[choose()].skip(1) == 1) ++skipped;
    return skipped;
  }

  size_t choose() {
    const auto bound = std::upper_bound(bounds.begin(), bounds.end(), rng.uniform());
    // Rounding may leave the last bound below 1.
    return std::min(static_cast<size_t>(bound - bounds.begin()), bounds.size() - 1);
  }

  std::vector<DataIterator> passes;
  std::vector<double> bounds;
  Rng rng;
};

struct MixPass {
  std::optional<Datapoint> next() {
    // A source that is shorter than its size said is passed over.
    while (index < order.size()) {
      if (std::optional<Datapoint> datapoint = passes[order[index++]].next()) return datapoint;
    }
    return std::nullopt;
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    while (skipped < count && index < order.size()) skipped += passes[order[index++]].skip(1);
    return skipped;
  }

  std::vector<DataIterator> passes;
  std::vector<uint32_t> order;  // the source of each datapoint
  size_t index = 0;
};

}  // namespace

RandomChooseData::RandomChooseData(std::vector<AnyDataFlow> sources, RandomChooseDataOptions options)
    : sources_(std::move(sources)), options_(std::move(options)) {
  if (sources_.empty()) throw UsageError("[RandomChooseData] expected at least one dataflow, got none");
  const std::vector<double>& p = options_.probabilities;
  if (!p.empty() && p.size() != sources_.size()) {
    throw UsageError(
        fmt::format("[RandomChooseData] expected {} probabilities, one for each dataflow, got {}",
                    sources_.size(), p.size()));
  }
  for (double one : p) {
    if (!(one > 0) || !std::isfinite(one))
      throw UsageError(fmt::format("[RandomChooseData] expected positive probabilities, got {}", one));
  }
}

DataIterator RandomChooseData::start_pass(int64_t pass) {
  return DataIterator(ChoosePass{start_passes(sources_, pass),
                                 bounds_of(options_.probabilities, sources_.size()),
                                 Rng(options_.seed, static_cast<uint64_t>(pass))});
}

bool RandomChooseData::can_resume() const {
  return internal::can_all_resume(sources_);
}

void RandomChooseData::reset_state() {
  DataFlow::reset_state();
  reset_states(sources_);
}

RandomMixData::RandomMixData(std::vector<AnyDataFlow> sources, RandomMixDataOptions options)
    : sources_(std::move(sources)), options_(options) {
  if (sources_.empty()) throw UsageError("[RandomMixData] expected at least one dataflow, got none");
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (!sources_[i]->size())
      throw UsageError(
          fmt::format("[RandomMixData] expected dataflows of known size, dataflow {} has none", i));
  }
}

DataIterator RandomMixData::start_pass(int64_t pass) {
  MixPass mix{start_passes(sources_, pass), {}};
  for (size_t i = 0; i < sources_.size(); ++i)
    mix.order.insert(mix.order.end(), static_cast<size_t>(*sources_[i]->size()), static_cast<uint32_t>(i));
  Rng(options_.seed, static_cast<uint64_t>(pass)).shuffle(mix.order);
  return DataIterator(std::move(mix));
}

std::optional<int64_t> RandomMixData::size() const {
  int64_t sum = 0;
  for (const AnyDataFlow& source : sources_) sum += source->size().value_or(0);
  return sum;
}

bool RandomMixData::can_resume() const {
  return internal::can_all_resume(sources_);
}

void RandomMixData::reset_state() {
  DataFlow::reset_state();
  reset_states(sources_);
}

}  // namespace belfry
