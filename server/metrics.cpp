#include "metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace kserve {
namespace {

std::string escaped(const std::string& label) {
  std::string text;
  for (char c : label) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

class Text {
 public:
  explicit Text(const std::string& model) : model_label_(fmt::format("model=\"{}\"", escaped(model))) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  template <typename Number>
  void sample(std::string_view name, Number value, std::string_view label = "") {
    fmt::format_to(std::back_inserter(text), "{}{{{}{}{}}} {}\n", name, model_label_,
                   label.empty() ? "" : ",", label, value);
  }
  template <typename Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(name, value);
  }

  std::string text;

 private:
  const std::string model_label_;
};

}  // namespace

std::string prometheus_text(const std::string& model, const belfry::BatchingStats& stats,
                            const std::map<int, uint64_t>& responses) {
  Text out(model);
  out.family("belfry_requests_total", "counter", "Requests that ended, by how.");
  out.sample("belfry_requests_total", stats.answered, "result=\"answered\"");
  out.sample("belfry_requests_total", stats.failed, "result=\"failed\"");
  out.sample("belfry_requests_total", stats.cancelled, "result=\"cancelled\"");
  out.sample("belfry_requests_total", stats.rejected, "result=\"rejected\"");
  out.single("belfry_batches_total", "counter", "Calls of the model.", stats.batches);
  out.single("belfry_samples_total", "counter", "Samples in those calls.", stats.samples);
  out.single("belfry_queued_samples", "gauge", "Samples that wait for a batch.", stats.queued);

  out.family("belfry_request_seconds", "histogram", "Time from a request's acceptance to its answer.");
  uint64_t up_to = 0;
  for (size_t i = 0; i < stats.latency.counts.size(); ++i) {
    up_to += stats.latency.counts[i];
    const bool last = i == belfry::LatencyHistogram::kBounds.size();
    out.sample("belfry_request_seconds_bucket", up_to,
               last ? "le=\"+Inf\"" : fmt::format("le=\"{}\"", belfry::LatencyHistogram::kBounds[i]));
  }
  out.sample("belfry_request_seconds_sum", stats.latency.sum);
  out.sample("belfry_request_seconds_count", up_to);

  out.family("belfry_http_responses_total", "counter", "HTTP answers by status.");
  for (const auto& [status, count] : responses) {
    out.sample("belfry_http_responses_total", count, fmt::format("code=\"{}\"", status));
  }
  return out.text;
}

}  // namespace kserve
