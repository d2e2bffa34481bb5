#include "belfry/dataflow/raw.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/rand.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"

namespace belfry {
namespace {

Datapoint draw(const std::vector<FakeComponent>& components, const at::Generator& generator) {
  Datapoint datapoint;
  datapoint.reserve(components.size());
  for (const FakeComponent& c : components) {
    at::Tensor unit = at::rand(c.shape, generator, at::TensorOptions(at::kDouble));
    at::Tensor value = unit.mul_(c.high - c.low).add_(c.low);
    if (at::isIntegralType(c.dtype, /*includeBool=*/true)) value.floor_();
    datapoint.push_back(value.to(c.dtype));
  }
  return datapoint;
}

struct ListPass {
  std::optional<Datapoint> next() {
    if (index == list->size()) return std::nullopt;
    return (*list)[index++];
  }
  int64_t skip(int64_t count) {
    const size_t skipped = std::min(static_cast<size_t>(count), list->size() - index);
    index += skipped;
    return static_cast<int64_t>(skipped);
  }

  std::shared_ptr<const std::vector<Datapoint>> list;
  size_t index = 0;
};

}  // namespace

DataFromList::DataFromList(std::vector<Datapoint> list)
    : list_(std::make_shared<const std::vector<Datapoint>>(std::move(list))) {}

DataIterator DataFromList::start_pass(int64_t) {
  return DataIterator(ListPass{list_});
}

DataFromFunction::DataFromFunction(std::function<Next()> start_pass, std::optional<int64_t> size)
    : start_pass_(std::move(start_pass)), size_(size) {
  if (!start_pass_) throw UsageError("[DataFromFunction] expected a function, got an empty one");
}

DataIterator DataFromFunction::start_pass(int64_t) {
  Next next = start_pass_();
  if (!next) throw UsageError("[DataFromFunction] expected a function for the new pass, got an empty one");
  return DataIterator(std::move(next));
}

FakeData::FakeData(std::vector<FakeComponent> components, FakeDataOptions options)
    : components_(std::move(components)), options_(options) {
  if (options_.size < 0)
    throw UsageError(fmt::format("[FakeData] expected size >= 0, got {}", options_.size));
}

DataIterator FakeData::start_pass(int64_t pass) {
  auto generator =
      at::make_generator<at::CPUGeneratorImpl>(Rng(options_.seed, static_cast<uint64_t>(pass)).bits());
  Datapoint fixed;
  if (!options_.random) fixed = draw(components_, generator);
  return DataIterator([components = components_, generator = std::move(generator), fixed = std::move(fixed),
                       random = options_.random, left = options_.size]() mutable -> std::optional<Datapoint> {
    if (left == 0) return std::nullopt;
    --left;
    return random ? draw(components, generator) : fixed;
  });
}

}  // namespace belfry
