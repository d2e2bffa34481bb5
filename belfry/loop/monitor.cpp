#include "belfry/loop/monitor.h"

#include <ATen/ops/clamp.h>
#include <ATen/ops/nan_to_num.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

at::Tensor to_byte_images(const std::string& tag, const at::Tensor& images) {
  const auto has_channels = [](const at::Tensor& t) {
    const int64_t last = t.dim() >= 3 ? t.size(-1) : 0;
    return last == 1 || last == 3 || last == 4;
  };
  at::Tensor batch = images;
  if (batch.dim() == 2) batch = batch.unsqueeze(-1);
  if (batch.dim() == 3) batch = has_channels(batch) ? batch.unsqueeze(0) : batch.unsqueeze(-1);
  if (batch.dim() != 4 || !has_channels(batch)) {
    throw UsageError(
        fmt::format("[put_image {}] expected images [N, H, W, C], [N, H, W], [H, W, C] or [H, W], got [{}]",
                    tag, fmt::join(images.sizes(), ", ")));
  }
  batch = batch.to(at::kCPU);
  if (batch.scalar_type() == at::kByte) return batch;
  return at::nan_to_num(batch.to(at::kFloat), 0, 255, 0).clamp(0, 255).to(at::kByte);
}

}  // namespace

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
  const at::Tensor bytes = to_byte_images(tag, images);
  for (const auto& monitor : monitors_) monitor->put_image(tag, bytes, step());
}

void Monitors::put_text(const std::string& tag, const std::string& text) {
  for (const auto& monitor : monitors_) monitor->put_text(tag, text, step());
}

std::optional<Monitors::Latest> Monitors::get_latest(const std::string& tag) const {
  const auto& values = get_history(tag);
  if (values.empty()) return std::nullopt;
  return values.back();
}

std::vector<std::string> Monitors::tags() const {
  std::vector<std::string> tags;
  for (const auto& [tag, values] : history_) tags.push_back(tag);
  return tags;
}

const std::vector<Monitors::Latest>& Monitors::get_history(const std::string& tag) const {
  static const std::vector<Latest> none;
  const auto found = history_.find(tag);
  return found == history_.end() ? none : found->second;
}

}  // namespace belfry
