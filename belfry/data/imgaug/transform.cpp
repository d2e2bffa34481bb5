#include "belfry/data/imgaug/transform.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <opencv2/imgproc.hpp>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/cubic_resize.h"
#include "belfry/data/imgaug/internal/mat.h"
#include "belfry/data/imgaug/internal/pixel_transform.h"

// Transforms: what an augmentor has drawn, as a value that can be applied to an image, to coordinates and to
// boxes. The public calls check their argument once, for all transforms, and turn OpenCV's exceptions into
// ours. OpenCV runs in the thread that calls it: dataflows have threads of their own.
namespace belfry::imgaug {
namespace {

std::string shape_of(const at::Tensor& tensor) {
  return fmt::format("{} [{}]", c10::toString(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "));
}

void check_points(const Transform& who, const at::Tensor& points, int64_t columns) {
  const bool is_right = points.defined() && points.device().is_cpu() && points.dim() == 2 &&
                        points.size(1) == columns &&
                        (points.scalar_type() == at::kFloat || points.scalar_type() == at::kDouble);
  if (is_right) return;
  throw DataError(fmt::format("[{}] expected {} as float32 or float64 [N, {}] on the CPU, got {}",
                              who.description(), columns == 2 ? "coordinates" : "boxes", columns,
                              points.defined() ? shape_of(points) : "an undefined tensor"));
}

template <typename Scalar>
void map_rows(const at::Tensor& from, const at::Tensor& to, const AffineMatrix& m) {
  auto in = from.accessor<Scalar, 2>();
  auto out = to.accessor<Scalar, 2>();
  for (int64_t i = 0; i < in.size(0); ++i) {
    const double x = in[i][0], y = in[i][1];
    out[i][0] = static_cast<Scalar>(m[0] * x + m[1] * y + m[2]);
    out[i][1] = static_cast<Scalar>(m[3] * x + m[4] * y + m[5]);
  }
}

at::Tensor map_points(const at::Tensor& coords, const AffineMatrix& matrix) {
  at::Tensor mapped = at::empty_like(coords, at::MemoryFormat::Contiguous);
  if (coords.scalar_type() == at::kFloat) {
    map_rows<float>(coords, mapped, matrix);
  } else {
    map_rows<double>(coords, mapped, matrix);
  }
  return mapped;
}

const char* name_of(Interpolation interpolation) {
  constexpr std::array kNames = {"nearest", "linear", "cubic", "area", "lanczos4"};
  return kNames[static_cast<size_t>(interpolation)];
}

const char* name_of(Border border) {
  constexpr std::array kNames = {"constant", "replicate", "reflect", "wrap", "reflect101"};
  return kNames[static_cast<size_t>(border)];
}

void check_size(const Transform& who, const at::Tensor& image, int64_t h, int64_t w) {
  if (image.size(0) == h && image.size(1) == w) return;
  throw DataError(fmt::format("[{}] expected an image of {} x {}, got {} x {}", who.description(), h, w,
                              image.size(0), image.size(1)));
}

void stop_opencv_threads() {
  static std::once_flag once;
  std::call_once(once, [] { cv::setNumThreads(1); });
}

}  // namespace

ImageSpec spec_of(const at::Tensor& image) {
  if (!image.defined()) throw DataError("[imgaug] expected an image, got an undefined tensor");
  const int64_t channels = image.dim() == 3 ? image.size(2) : 1;
  const bool is_image = image.device().is_cpu() && (image.dim() == 2 || image.dim() == 3) &&
                        image.numel() > 0 && channels <= CV_CN_MAX &&
                        (image.scalar_type() == at::kByte || image.scalar_type() == at::kFloat);
  if (!is_image) {
    throw DataError(fmt::format(
        "[imgaug] expected an image, uint8 or float32 [H, W] or [H, W, C] of at most {} channels on "
        "the CPU, got {} on {}",
        CV_CN_MAX, shape_of(image), image.device().str()));
  }
  return {image.size(0), image.size(1), channels, image.scalar_type()};
}

at::Tensor Transform::apply_image(const at::Tensor& image) const {
  spec_of(image);
  stop_opencv_threads();
  try {
    return transform_image(image);
  } catch (const cv::Exception& error) {
    throw DataError(fmt::format("[{}] {}", description(), error.what()));
  }
}

at::Tensor Transform::apply_coords(const at::Tensor& coords) const {
  check_points(*this, coords, 2);
  return transform_coords(coords);
}

at::Tensor Transform::apply_boxes(const at::Tensor& boxes) const {
  check_points(*this, boxes, 4);
  const auto corner = [&](int64_t x, int64_t y) {
    return at::stack({boxes.select(1, x), boxes.select(1, y)}, 1);
  };
  const at::Tensor corners = at::cat({corner(0, 1), corner(2, 1), corner(0, 3), corner(2, 3)});
  const at::Tensor moved = transform_coords(corners).reshape({4, boxes.size(0), 2});
  return at::cat({moved.amin(0), moved.amax(0)}, 1);
}

ImageSpec CropTransform::output_spec(const ImageSpec& input) const {
  return {h, w, input.channels, input.dtype};
}

std::string CropTransform::description() const {
  return fmt::format("CropTransform(y0={}, x0={}, h={}, w={})", y0, x0, h, w);
}

at::Tensor CropTransform::transform_image(const at::Tensor& image) const {
  const bool fits =
      y0 >= 0 && x0 >= 0 && h > 0 && w > 0 && y0 + h <= image.size(0) && x0 + w <= image.size(1);
  if (!fits) {
    throw DataError(fmt::format("[{}] expected a part of the image, which is {} x {}", description(),
                                image.size(0), image.size(1)));
  }
  return image.narrow(0, y0, h).narrow(1, x0, w);
}

at::Tensor CropTransform::transform_coords(const at::Tensor& coords) const {
  return map_points(coords, {1, 0, -static_cast<double>(x0), 0, 1, -static_cast<double>(y0)});
}

ImageSpec ResizeTransform::output_spec(const ImageSpec& input) const {
  return {new_h, new_w, input.channels, input.dtype};
}

std::string ResizeTransform::description() const {
  return fmt::format("ResizeTransform(h={}, w={}, new_h={}, new_w={}, interp={})", h, w, new_h, new_w,
                     name_of(interpolation));
}

at::Tensor ResizeTransform::transform_image(const at::Tensor& image) const {
  check_size(*this, image, h, w);
  if (new_h == h && new_w == w) return image;
  return internal::with_mats(image, new_h, new_w, [this](const cv::Mat& from, cv::Mat& to) {
    if (interpolation == Interpolation::kCubic && internal::can_resize_cubic(from))
      return internal::resize_cubic(from, to);
    cv::resize(from, to, to.size(), 0, 0, static_cast<int>(interpolation));
  });
}

at::Tensor ResizeTransform::transform_coords(const at::Tensor& coords) const {
  const double scale_x = static_cast<double>(new_w) / static_cast<double>(w);
  const double scale_y = static_cast<double>(new_h) / static_cast<double>(h);
  return map_points(coords, {scale_x, 0, 0, 0, scale_y, 0});
}

std::string FlipTransform::description() const {
  return fmt::format("FlipTransform(h={}, w={}, horiz={})", h, w, horiz);
}

at::Tensor FlipTransform::transform_image(const at::Tensor& image) const {
  check_size(*this, image, h, w);
  return internal::with_mats(image, h, w,
                             [this](const cv::Mat& from, cv::Mat& to) { cv::flip(from, to, horiz ? 1 : 0); });
}

at::Tensor FlipTransform::transform_coords(const at::Tensor& coords) const {
  if (horiz) return map_points(coords, {-1, 0, static_cast<double>(w), 0, 1, 0});
  return map_points(coords, {1, 0, 0, 0, -1, static_cast<double>(h)});
}

ImageSpec TransposeTransform::output_spec(const ImageSpec& input) const {
  return {input.w, input.h, input.channels, input.dtype};
}

at::Tensor TransposeTransform::transform_image(const at::Tensor& image) const {
  // OpenCV transposes elements of some sizes only.
  if (image.dim() == 3 && image.size(2) != 1 && image.size(2) != 3) return image.transpose(0, 1).contiguous();
  return internal::with_mats(image, image.size(1), image.size(0),
                             [](const cv::Mat& from, cv::Mat& to) { cv::transpose(from, to); });
}

at::Tensor TransposeTransform::transform_coords(const at::Tensor& coords) const {
  return map_points(coords, {0, 1, 0, 1, 0, 0});
}

ImageSpec WarpAffineTransform::output_spec(const ImageSpec& input) const {
  return {size.h, size.w, input.channels, input.dtype};
}

std::string WarpAffineTransform::description() const {
  return fmt::format("WarpAffineTransform(matrix=[{}], h={}, w={}, interp={}, border={}, border_value=[{}])",
                     fmt::join(matrix, ", "), size.h, size.w, name_of(options.interpolation),
                     name_of(options.border), fmt::join(options.border_value, ", "));
}

at::Tensor WarpAffineTransform::transform_image(const at::Tensor& image) const {
  return internal::with_mats(image, size.h, size.w, [this](const cv::Mat& from, cv::Mat& to) {
    const auto& [r, g, b] = options.border_value;
    cv::warpAffine(from, to, cv::Matx23d(matrix.data()), to.size(), static_cast<int>(options.interpolation),
                   static_cast<int>(options.border), cv::Scalar(r, g, b));
  });
}

at::Tensor WarpAffineTransform::transform_coords(const at::Tensor& coords) const {
  return map_points(coords, matrix);
}

PhotometricTransform::PhotometricTransform(std::string name,
                                           std::function<at::Tensor(const at::Tensor&)> function,
                                           SpecFunction spec)
    : name_(std::move(name)), function_(std::move(function)), spec_(std::move(spec)) {
  if (!function_)
    throw UsageError(fmt::format("[PhotometricTransform {}] expected a function, got an empty one", name_));
}

ImageSpec PhotometricTransform::output_spec(const ImageSpec& input) const {
  return spec_ ? spec_(input) : input;
}

TransformList::TransformList(std::vector<TransformPtr> transforms) {
  for (TransformPtr& transform : transforms) {
    if (!transform) throw UsageError("[TransformList] expected transforms, got a null pointer");
    if (const auto* list = dynamic_cast<const TransformList*>(transform.get())) {
      transforms_.insert(transforms_.end(), list->transforms_.begin(), list->transforms_.end());
    } else if (!dynamic_cast<const NoOpTransform*>(transform.get())) {
      transforms_.push_back(std::move(transform));
    }
  }
}

TransformList operator+(const TransformList& first, const TransformPtr& next) {
  std::vector<TransformPtr> transforms = first.transforms();
  transforms.push_back(next);
  return TransformList(std::move(transforms));
}

TransformList operator+(const TransformList& first, const TransformList& next) {
  return first + TransformPtr(std::make_shared<TransformList>(next));
}

ImageSpec TransformList::output_spec(const ImageSpec& input) const {
  ImageSpec spec = input;
  for (const TransformPtr& transform : transforms_) spec = transform->output_spec(spec);
  return spec;
}

std::string TransformList::description() const {
  std::vector<std::string> parts;
  for (const TransformPtr& transform : transforms_) parts.push_back(transform->description());
  return fmt::format("TransformList({})", fmt::join(parts, ", "));
}

at::Tensor TransformList::transform_image(const at::Tensor& image) const {
  at::Tensor result = image;
  std::vector<const internal::PixelTransform*> run;
  for (size_t i = 0; i < transforms_.size();) {
    for (; i < transforms_.size(); ++i) {
      const auto* step = dynamic_cast<const internal::PixelTransform*>(transforms_[i].get());
      if (!step) break;
      run.push_back(step);
    }
    if (!run.empty()) {
      result = internal::apply_pixel_transforms(run, result);
      run.clear();
    } else {
      result = transforms_[i++]->apply_image(result);
    }
  }
  return result;
}

at::Tensor TransformList::transform_coords(const at::Tensor& coords) const {
  at::Tensor result = coords;
  for (const TransformPtr& transform : transforms_) result = transform->apply_coords(result);
  return result;
}

}  // namespace belfry::imgaug
