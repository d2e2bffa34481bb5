#include "belfry/data/viz/draw.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <opencv2/imgproc.hpp>

#include "belfry/base/error.h"

namespace belfry::viz {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
const cv::Scalar kTextColor(222, 222, 222);

/// A copy with three channels.
at::Tensor canvas_of(const at::Tensor& image, const char* who) {
  const bool is_image =
      image.defined() && image.scalar_type() == at::kByte && image.is_cpu() && image.numel() > 0 &&
      (image.dim() == 2 || (image.dim() == 3 && (image.size(2) == 1 || image.size(2) == 3)));
  if (!is_image) {
    throw UsageError(fmt::format("[{}] expected an image, Byte [H, W] or [H, W, 1 or 3], got {}", who,
                                 image.defined() ? fmt::format("{} [{}]", c10::toString(image.scalar_type()),
                                                               fmt::join(image.sizes(), ", "))
                                                 : "none"));
  }
  const at::Tensor with_channels = image.dim() == 2 ? image.unsqueeze(2) : image;
  return with_channels.expand({image.size(0), image.size(1), 3}).clone(at::MemoryFormat::Contiguous);
}

cv::Mat mat_of(const at::Tensor& canvas) {
  return {static_cast<int>(canvas.size(0)), static_cast<int>(canvas.size(1)), CV_8UC3,
          canvas.mutable_data_ptr()};
}

cv::Scalar scalar_of(Color color) {
  return {static_cast<double>(color[0]), static_cast<double>(color[1]), static_cast<double>(color[2])};
}

void write(cv::Mat& canvas, int x, int y, const std::string& text, const cv::Scalar& color,
           double font_scale) {
  int baseline = 0;
  const cv::Size size = cv::getTextSize(text, kFont, font_scale, 1, &baseline);
  const auto times_height = [&](double factor) { return static_cast<int>(factor * size.height); };
  if (x + size.width > canvas.cols) x = canvas.cols - size.width;
  if (y - times_height(1.15) < 0) y = times_height(1.15);
  cv::rectangle(canvas, cv::Point(x, y - times_height(1.3)), cv::Point(x + size.width, y), color, cv::FILLED);
  cv::putText(canvas, text, cv::Point(x, y - times_height(0.25)), kFont, font_scale, kTextColor, 1,
              cv::LINE_AA);
}

struct Box {
  int x1, y1, x2, y2;
  int64_t area() const { return (int64_t{x2} - x1 + 1) * (int64_t{y2} - y1 + 1); }
};

std::vector<Box> boxes_in(const at::Tensor& boxes, const at::Tensor& image) {
  if (!boxes.defined() || boxes.dim() != 2 || boxes.size(1) != 4 || boxes.is_complex())
    throw UsageError("[draw_boxes] expected boxes [N, 4], got another shape or dtype");
  const at::Tensor values = boxes.detach().cpu().to(at::kDouble).contiguous();
  std::vector<Box> all;
  for (int64_t i = 0; i < values.size(0); ++i) {
    const double* at = values.const_data_ptr<double>() + 4 * i;
    const double w = static_cast<double>(image.size(1)), h = static_cast<double>(image.size(0));
    // The limits may be reached: rounding of coordinates is not held against anybody.
    const bool is_inside = at[0] > -1 && at[1] > -1 && at[2] < w + 1 && at[3] < h + 1 && at[2] > -1 &&
                           at[3] > -1 && at[0] < w + 1 && at[1] < h + 1;
    const Box box = is_inside ? Box{static_cast<int>(at[0]), static_cast<int>(at[1]), static_cast<int>(at[2]),
                                    static_cast<int>(at[3])}
                              : Box{0, 0, -1, -1};
    if (box.x2 - box.x1 + 1 <= 0 || box.y2 - box.y1 + 1 <= 0) {
      throw DataError(
          fmt::format("[draw_boxes] expected boxes with an area in an image of {} x {}, got ({}, {}, {}, {})",
                      image.size(1), image.size(0), at[0], at[1], at[2], at[3]));
    }
    all.push_back(box);
  }
  return all;
}

}  // namespace

at::Tensor draw_text(const at::Tensor& image, std::array<int64_t, 2> xy, const std::string& text, Color color,
                     const DrawTextOptions& options) {
  const at::Tensor canvas = canvas_of(image, "draw_text");
  cv::Mat mat = mat_of(canvas);
  write(mat, static_cast<int>(xy[0]), static_cast<int>(xy[1]), text, scalar_of(color), options.font_scale);
  return canvas;
}

at::Tensor draw_boxes(const at::Tensor& image, const at::Tensor& boxes, const DrawBoxesOptions& options) {
  const at::Tensor canvas = canvas_of(image, "draw_boxes");
  const std::vector<Box> all = boxes_in(boxes, image);
  if (!options.labels.empty() && options.labels.size() != all.size()) {
    throw UsageError(fmt::format("[draw_boxes] expected a label for each of {} boxes, got {}", all.size(),
                                 options.labels.size()));
  }
  std::vector<size_t> greatest_first(all.size());
  std::iota(greatest_first.begin(), greatest_first.end(), size_t{0});
  std::stable_sort(greatest_first.begin(), greatest_first.end(),
                   [&](size_t a, size_t b) { return all[a].area() > all[b].area(); });
  cv::Mat mat = mat_of(canvas);
  const cv::Scalar color = scalar_of(options.color);
  for (size_t i : greatest_first) {
    const Box& box = all[i];
    if (!options.labels.empty())
      write(mat, box.x1, box.y1, options.labels[i], color, DrawTextOptions().font_scale);
    cv::rectangle(mat, cv::Point(box.x1, box.y1), cv::Point(box.x2, box.y2), color, 1);
  }
  return canvas;
}

}  // namespace belfry::viz
