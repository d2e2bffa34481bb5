#include "belfry/loop/monitor.h"

#include "belfry/loop/trainer.h"

namespace belfry {

int64_t Monitors::step() const {
  return trainer_ ? trainer_->global_step() : 0;
}

void Monitors::put_scalar(const std::string& tag, double value) {
  history_[tag].push_back({value, step()});
  for (const auto& monitor : monitors_) monitor->put_scalar(tag, value, step());
}

void Monitors::put_histogram(const std::string& tag, const at::Tensor& values) {
  for (const auto& monitor : monitors_) monitor->put_histogram(tag, values, step());
}

void Monitors::put_image(const std::string& tag, const at::Tensor& images) {
  for (const auto& monitor : monitors_) monitor->put_image(tag, images, step());
}

std::optional<Monitors::Latest> Monitors::latest(const std::string& tag) const {
  const auto& values = history(tag);
  if (values.empty()) return std::nullopt;
  return values.back();
}

const std::vector<Monitors::Latest>& Monitors::history(const std::string& tag) const {
  static const std::vector<Latest> none;
  const auto found = history_.find(tag);
  return found == history_.end() ? none : found->second;
}

}  // namespace belfry
