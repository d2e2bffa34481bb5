#include "belfry/dataflow/inspect_data.h"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/printable.h"
#include "belfry/dataflow/internal/describe.h"
#include "belfry/dataflow/object_component.h"

namespace belfry {
namespace {

constexpr size_t kMostText = 100;  // characters of a text that are shown

std::string describe_values(const at::Tensor& tensor) {
  if (is_text(tensor)) return fmt::format("text '{}'", printable(text_of(tensor).substr(0, kMostText)));
  const bool is_ordered = tensor.defined() && tensor.numel() > 0 && !tensor.is_complex();
  if (is_ordered && tensor.dim() == 0) {
    return fmt::format("{} with value {}", c10::toString(tensor.scalar_type()),
                       tensor.to(at::kDouble).item<double>());
  }
  std::string text = internal::describe(tensor);
  if (is_ordered) {
    const auto [low, high] = at::aminmax(tensor.to(at::kDouble));
    text += fmt::format(" in range [{}, {}]", low.item<double>(), high.item<double>());
  }
  return text;
}

std::string describe(const Datapoint& datapoint, int64_t index, const PrintDataOptions& options) {
  const std::string label = options.name.empty() ? "" : fmt::format(" ({})", options.name);
  std::string text = fmt::format("Contents of DataFlow{}: datapoint {}/{} with {} components consists of",
                                 label, index, options.num, datapoint.size());
  for (size_t i = 0; i < datapoint.size(); ++i)
    text += fmt::format("\n  {}: {}", datapoint.has_names() ? datapoint.names()[i] : fmt::to_string(i),
                        describe_values(datapoint[i]));
  return text;
}

}  // namespace

PrintData::PrintData(AnyDataFlow source, PrintDataOptions options)
    : ProxyDataFlow(std::move(source)), options_(std::move(options)) {
  if (options_.num < 0) throw UsageError(fmt::format("[PrintData] expected num >= 0, got {}", options_.num));
  if (!options_.print) options_.print = [](std::string_view text) { log_message(LogLevel::kInfo, text); };
}

DataIterator PrintData::start_pass(int64_t pass) {
  struct Pass {
    std::optional<Datapoint> next() {
      std::optional<Datapoint> datapoint = source.next();
      if (datapoint && *shown < options.num) {
        if (int64_t index = (*shown)++; index < options.num)
          options.print(describe(*datapoint, index, options));
      }
      return datapoint;
    }
    int64_t skip(int64_t count) { return source.skip(count); }

    DataIterator source;
    PrintDataOptions options;
    std::shared_ptr<std::atomic<int64_t>> shown;
  };
  return DataIterator(Pass{source_->start_pass(pass), options_, shown_});
}

void PrintData::reset_state() {
  *shown_ = 0;
  ProxyDataFlow::reset_state();
}

double TestDataSpeed::Result::datapoints_per_second() const {
  return time.count() > 0 ? static_cast<double>(datapoints) / time.count() : 0;
}

TestDataSpeed::TestDataSpeed(AnyDataFlow source, TestDataSpeedOptions options)
    : ProxyDataFlow(std::move(source)), options_(options) {
  if (options_.size <= 0 || options_.warmup < 0) {
    throw UsageError(fmt::format("[TestDataSpeed] expected size > 0 and warmup >= 0, got size {}, warmup {}",
                                 options_.size, options_.warmup));
  }
}

DataIterator TestDataSpeed::start_pass(int64_t pass) {
  measure(source_->start_pass(pass));
  return source_->start_pass(pass);
}

TestDataSpeed::Result TestDataSpeed::start() {
  return measure(source_->start_pass(0));
}

TestDataSpeed::Result TestDataSpeed::measure(DataIterator pass) const {
  for (int64_t i = 0; i < options_.warmup && pass.next(); ++i) continue;
  Result result;
  const auto begin = std::chrono::steady_clock::now();
  while (result.datapoints < options_.size && pass.next()) ++result.datapoints;
  result.time = std::chrono::steady_clock::now() - begin;
  log_info("[TestDataSpeed] {} datapoints in {:.3f} s: {:.1f} per second", result.datapoints,
           result.time.count(), result.datapoints_per_second());
  return result;
}

}  // namespace belfry
