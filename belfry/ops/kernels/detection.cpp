#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "belfry/graph/below_autograd.h"
#include "belfry/graph/shape_inference.h"

// Boxes: which of them to keep, and the parts of images that they show. Values are those of TensorFlow's
// operators of the same names.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using OptionalNumber = std::optional<double>;

struct Box {
  double y1, x1, y2, x2;

  explicit Box(const double* c)
      : y1(std::min(c[0], c[2])),
        x1(std::min(c[1], c[3])),
        y2(std::max(c[0], c[2])),
        x2(std::max(c[1], c[3])) {}
  double area() const { return (y2 - y1) * (x2 - x1); }
};

bool overlap(const Box& a, const Box& b, double threshold) {
  if (a.area() <= 0 || b.area() <= 0) return false;
  const double height = std::max(std::min(a.y2, b.y2) - std::max(a.y1, b.y1), 0.0);
  const double width = std::max(std::min(a.x2, b.x2) - std::max(a.x1, b.x1), 0.0);
  const double common = height * width;
  return common / (a.area() + b.area() - common) > threshold;
}

struct Selection {
  int64_t most;
  double iou_threshold;
  OptionalNumber score_threshold;
};

void check(const Selection& how) {
  TORCH_CHECK(how.most >= 0, "expected a number of boxes to keep, got ", how.most);
  TORCH_CHECK(how.iou_threshold >= 0 && how.iou_threshold <= 1, "expected an iou_threshold in [0, 1], got ",
              how.iou_threshold);
}

/// Which boxes are kept, best first. `box_of(i)` gives four numbers, `score_of(i)` one; boxes that are not
/// `comparable(i, j)` do not drop each other.
template <typename BoxOf, typename ScoreOf, typename Comparable>
std::vector<int64_t> select_boxes(int64_t count, const Selection& how, BoxOf box_of, ScoreOf score_of,
                                  Comparable comparable) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < count; ++i) {
    if (!how.score_threshold || score_of(i) > *how.score_threshold) order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](int64_t i, int64_t j) {
    const bool i_nan = std::isnan(score_of(i)), j_nan = std::isnan(score_of(j));
    return i_nan || j_nan ? !i_nan && j_nan : score_of(i) > score_of(j);
  });
  std::vector<int64_t> kept;
  std::vector<Box> boxes;
  for (int64_t i : order) {
    if (static_cast<int64_t>(kept.size()) >= how.most) break;
    const Box box(box_of(i));
    bool dropped = false;
    for (size_t k = 0; k < kept.size() && !dropped; ++k)
      dropped = comparable(i, kept[k]) && overlap(box, boxes[k], how.iou_threshold);
    if (dropped) continue;
    kept.push_back(i);
    boxes.push_back(box);
  }
  return kept;
}

void check_float(const char* what, const Tensor& x) {
  TORCH_CHECK(at::isFloatingType(x.scalar_type()), "expected ", what, " of floating-point numbers, got ",
              x.scalar_type());
}
void check_nms(const Tensor& boxes, const Tensor& scores, const OptionalTensor& classes,
               const Selection& how) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "expected boxes [N, 4], got ", boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "expected a score for each of ",
              boxes.size(0), " boxes, got ", scores.sizes());
  check_float("boxes", boxes);
  check_float("scores", scores);
  TORCH_CHECK(!classes || (classes->sizes() == scores.sizes() &&
                           at::isIntegralType(classes->scalar_type(), /*includeBool=*/false)),
              "expected a class, an integer, for each box, got ", classes->scalar_type(), " ",
              classes->sizes());
  check(how);
}

Tensor non_max_suppression(const Tensor& boxes, const Tensor& scores, const OptionalTensor& classes,
                           int64_t max_output_size, double iou_threshold, OptionalNumber score_threshold) {
  const Selection how{max_output_size, iou_threshold, score_threshold};
  check_nms(boxes, scores, classes, how);
  const Tensor b = boxes.detach().to(at::kCPU, at::kDouble).contiguous();
  const Tensor s = scores.detach().to(at::kCPU, at::kDouble).contiguous();
  const Tensor c = classes ? classes->to(at::kCPU, at::kLong).contiguous() : Tensor();
  const double *corners = b.const_data_ptr<double>(), *values = s.const_data_ptr<double>();
  const int64_t* labels = classes ? c.const_data_ptr<int64_t>() : nullptr;
  const auto kept = select_boxes(
      b.size(0), how, [&](int64_t i) { return corners + 4 * i; }, [&](int64_t i) { return values[i]; },
      [&](int64_t i, int64_t j) { return !labels || labels[i] == labels[j]; });
  const Tensor result = at::empty({static_cast<int64_t>(kept.size())}, at::kLong);
  std::ranges::copy(kept, result.mutable_data_ptr<int64_t>());
  return result.to(boxes.device());
}
Tensor non_max_suppression_meta(const Tensor& boxes, const Tensor& scores, const OptionalTensor& classes,
                                int64_t max_output_size, double iou_threshold,
                                OptionalNumber score_threshold) {
  check_nms(boxes, scores, classes, {max_output_size, iou_threshold, score_threshold});
  return at::empty({unknown_size()}, boxes.options().dtype(at::kLong));
}

using FourTensors = std::tuple<Tensor, Tensor, Tensor, Tensor>;

FourTensors combined_nms_meta(const Tensor& boxes, const Tensor& scores, int64_t most_per_class,
                              int64_t most_total, double iou_threshold, OptionalNumber score_threshold,
                              bool pad_per_class, bool) {
  TORCH_CHECK(scores.dim() == 3, "expected scores [B, N, classes], got ", scores.sizes());
  TORCH_CHECK(boxes.dim() == 4 && boxes.size(3) == 4 && boxes.size(0) == scores.size(0) &&
                  boxes.size(1) == scores.size(1) && (boxes.size(2) == 1 || boxes.size(2) == scores.size(2)),
              "expected boxes [B, N, classes or 1, 4] for scores ", scores.sizes(), ", got ", boxes.sizes());
  check_float("boxes", boxes);
  check_float("scores", scores);
  check({most_per_class, iou_threshold, score_threshold});
  TORCH_CHECK(most_total > 0, "expected a positive max_total_size, got ", most_total);
  const int64_t batch = scores.size(0);
  int64_t all = 0;
  const bool too_many = __builtin_mul_overflow(most_per_class, scores.size(2), &all);
  const int64_t size = pad_per_class && !too_many ? std::min(most_total, all) : most_total;
  return {at::empty({batch, size, 4}, boxes.options()), at::empty({batch, size}, scores.options()),
          at::empty({batch, size}, scores.options()), at::empty({batch}, scores.options().dtype(at::kInt))};
}

struct Detection {
  double score;
  int64_t box, label;
};

FourTensors combined_nms(const Tensor& boxes, const Tensor& scores, int64_t most_per_class,
                         int64_t most_total, double iou_threshold, OptionalNumber score_threshold,
                         bool pad_per_class, bool clip_boxes) {
  const auto shapes = combined_nms_meta(boxes, scores, most_per_class, most_total, iou_threshold,
                                        score_threshold, pad_per_class, clip_boxes);
  const Tensor b = boxes.detach().to(at::kCPU, at::kDouble).contiguous();
  const Tensor s = scores.detach().to(at::kCPU, at::kDouble).contiguous();
  const int64_t count = s.size(1), classes = s.size(2), own = b.size(2), size = std::get<1>(shapes).size(1);
  const Tensor out_boxes = at::zeros({s.size(0), size, 4}, at::kDouble);
  const Tensor out_scores = at::zeros({s.size(0), size}, at::kDouble),
               out_classes = at::zeros_like(out_scores);
  const Tensor valid = at::zeros({s.size(0)}, at::kInt);
  at::parallel_for(0, s.size(0), 1, [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      const auto corners = [&](int64_t i, int64_t label) {
        return b.const_data_ptr<double>() + ((n * count + i) * own + (own == 1 ? 0 : label)) * 4;
      };
      std::vector<Detection> found;
      for (int64_t label = 0; label < classes; ++label) {
        const double* column = s.const_data_ptr<double>() + n * count * classes + label;
        const auto kept = select_boxes(
            count, {most_per_class, iou_threshold, score_threshold},
            [&](int64_t i) { return corners(i, label); }, [&](int64_t i) { return column[i * classes]; },
            [](int64_t, int64_t) { return true; });
        for (int64_t i : kept) found.push_back({column[i * classes], i, label});
      }
      std::ranges::stable_sort(found, std::ranges::greater(), &Detection::score);
      found.resize(std::min(found.size(), static_cast<size_t>(size)));
      valid.mutable_data_ptr<int>()[n] = static_cast<int>(found.size());
      for (size_t k = 0; k < found.size(); ++k) {
        const int64_t place = n * size + static_cast<int64_t>(k);
        out_scores.mutable_data_ptr<double>()[place] = found[k].score;
        out_classes.mutable_data_ptr<double>()[place] = static_cast<double>(found[k].label);
        const double* box = corners(found[k].box, found[k].label);
        for (int64_t e = 0; e < 4; ++e)
          out_boxes.mutable_data_ptr<double>()[place * 4 + e] =
              clip_boxes ? std::clamp(box[e], 0.0, 1.0) : box[e];
      }
    }
  });
  return {out_boxes.to(boxes.options()), out_scores.to(scores.options()), out_classes.to(scores.options()),
          valid.to(boxes.device())};
}

// crop_and_resize

/// A sample between two rows (or columns): lower * (1 - share) + upper * share. Outside of the image: -1.
struct Sample {
  int64_t lower, upper;
  double share;
};

Sample sample_at(double low, double high, int64_t index, int64_t count, int64_t size, bool nearest) {
  const auto steps = static_cast<double>(size - 1);
  const double place = count > 1 ? low * steps + static_cast<double>(index) * (high - low) * steps /
                                                     static_cast<double>(count - 1)
                                 : 0.5 * (low + high) * steps;
  if (!(place >= 0 && place <= steps)) return {-1, -1, 0};
  if (nearest) {
    const auto closest = static_cast<int64_t>(std::round(place));
    return {closest, closest, 0};
  }
  const auto lower = static_cast<int64_t>(std::floor(place));
  return {lower, static_cast<int64_t>(std::ceil(place)), place - static_cast<double>(lower)};
}

struct Crop {
  int64_t image;
  std::vector<Sample> rows, columns;
};

/// Where each box is sampled, of images [B, H, W, C]. Throws for an index that is no image.
std::vector<Crop> crops_of(IntArrayRef image, const Tensor& boxes, const Tensor& box_indices,
                           IntArrayRef size, bool nearest) {
  const Tensor b = boxes.detach().to(at::kCPU, at::kDouble).contiguous();
  const Tensor indices = box_indices.to(at::kCPU, at::kLong).contiguous();
  std::vector<Crop> crops(static_cast<size_t>(b.size(0)));
  for (size_t k = 0; k < crops.size(); ++k) {
    const double* c = b.const_data_ptr<double>() + 4 * k;
    Crop& crop = crops[k];
    crop.image = indices.const_data_ptr<int64_t>()[k];
    TORCH_CHECK(crop.image >= 0 && crop.image < image[0], "expected box_indices within [0, ", image[0],
                "), got ", crop.image, " for box ", k);
    for (int64_t i = 0; i < size[0]; ++i)
      crop.rows.push_back(sample_at(c[0], c[2], i, size[0], image[1], nearest));
    for (int64_t i = 0; i < size[1]; ++i)
      crop.columns.push_back(sample_at(c[1], c[3], i, size[1], image[2], nearest));
  }
  return crops;
}

void check_crops(const Tensor& image, const Tensor& boxes, const Tensor& box_indices, IntArrayRef size,
                 std::string_view method) {
  TORCH_CHECK(image.dim() == 4, "expected images [B, H, W, C], got ", image.sizes());
  TORCH_CHECK(image.scalar_type() == at::kFloat || image.scalar_type() == at::kDouble,
              "expected images of float32 or float64, got ", image.scalar_type());
  check_float("boxes", boxes);
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "expected boxes [K, 4], got ", boxes.sizes());
  TORCH_CHECK(box_indices.dim() == 1 && box_indices.size(0) == boxes.size(0) &&
                  at::isIntegralType(box_indices.scalar_type(), /*includeBool=*/false),
              "expected the index of an image, an integer, for each of ", boxes.size(0), " boxes, got ",
              box_indices.scalar_type(), " ", box_indices.sizes());
  TORCH_CHECK(size[0] > 0 && size[1] > 0, "expected a positive size, got ", size);
  TORCH_CHECK(method == "bilinear" || method == "nearest",
              "expected the method \"bilinear\" or \"nearest\", got \"", std::string(method), "\"");
}

/// A pixel of the result: the four pixels that it is made of, and their weights; none outside.
template <typename Visit>
void for_each_sample(const Crop& crop, IntArrayRef image, Visit visit) {
  for (const Sample& row : crop.rows) {
    for (const Sample& column : crop.columns) {
      if (row.lower < 0 || column.lower < 0) {
        visit(nullptr, nullptr);
        continue;
      }
      const auto place = [&](int64_t y, int64_t x) {
        return ((crop.image * image[1] + y) * image[2] + x) * image[3];
      };
      const std::array<int64_t, 4> places = {place(row.lower, column.lower), place(row.lower, column.upper),
                                             place(row.upper, column.lower), place(row.upper, column.upper)};
      const std::array<double, 4> weights = {(1 - row.share) * (1 - column.share),
                                             (1 - row.share) * column.share, row.share * (1 - column.share),
                                             row.share * column.share};
      visit(places.data(), weights.data());
    }
  }
}

Tensor crop_and_resize_below(const Tensor& image, const Tensor& boxes, const Tensor& box_indices,
                             IntArrayRef size, std::string_view method, double extrapolation_value) {
  check_crops(image, boxes, box_indices, size, method);
  const Tensor x = image.detach().to(at::kCPU).contiguous();
  const Tensor result = at::empty({boxes.size(0), size[0], size[1], x.size(3)}, x.options());
  if (result.numel() == 0) return result.to(image.device());
  const auto crops = crops_of(x.sizes(), boxes, box_indices, size, method == "nearest");
  const int64_t channels = x.size(3), pixels = size[0] * size[1];
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "crop_and_resize", [&] {
    const scalar_t* from = x.const_data_ptr<scalar_t>();
    scalar_t* to = result.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, static_cast<int64_t>(crops.size()), 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k) {
        scalar_t* out = to + k * pixels * channels;
        for_each_sample(crops[static_cast<size_t>(k)], x.sizes(),
                        [&](const int64_t* places, const double* w) {
                          for (int64_t c = 0; c < channels; ++c) {
                            out[c] = !places ? static_cast<scalar_t>(extrapolation_value)
                                             : static_cast<scalar_t>(w[0]) * from[places[0] + c] +
                                                   static_cast<scalar_t>(w[1]) * from[places[1] + c] +
                                                   static_cast<scalar_t>(w[2]) * from[places[2] + c] +
                                                   static_cast<scalar_t>(w[3]) * from[places[3] + c];
                          }
                          out += channels;
                        });
      }
    });
  });
  return result.to(image.device());
}

/// By the images. Threads share the channels, as boxes overlap.
Tensor crop_and_resize_backprop(const Tensor& gradient, const Tensor& boxes, const Tensor& box_indices,
                                IntArrayRef image_size, IntArrayRef size, std::string_view method) {
  const Tensor g = gradient.detach().to(at::kCPU).contiguous();
  const auto crops = crops_of(image_size, boxes, box_indices, size, method == "nearest");
  const Tensor result = at::zeros(image_size, g.options());
  const int64_t channels = image_size[3];
  AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "crop_and_resize_backprop", [&] {
    scalar_t* to = result.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, channels, 16, [&](int64_t first, int64_t last) {
      const scalar_t* from = g.const_data_ptr<scalar_t>();
      for (const Crop& crop : crops) {
        for_each_sample(crop, image_size, [&](const int64_t* places, const double* weights) {
          for (int64_t corner = 0; places && corner < 4; ++corner) {
            const auto weight = static_cast<scalar_t>(weights[corner]);
            for (int64_t c = first; c < last; ++c) to[places[corner] + c] += weight * from[c];
          }
          from += channels;
        });
      }
    });
  });
  return result.to(gradient.device());
}

struct CropAndResize : torch::autograd::Function<CropAndResize> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& image, const Tensor& boxes,
                        const Tensor& box_indices, const std::vector<int64_t>& size,
                        const std::string& method, double extrapolation_value) {
    context->save_for_backward({boxes, box_indices});
    context->saved_data["size"] = size;
    context->saved_data["method"] = method;
    context->saved_data["image_size"] = image.sizes().vec();
    const BelowAutograd below;
    return crop_and_resize_below(image, boxes, box_indices, size, method, extrapolation_value);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients);
};

/// The derivative is linear in the gradient, and its own derivative is the sampling again.
struct CropAndResizeBackprop : torch::autograd::Function<CropAndResizeBackprop> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& gradient,
                        const Tensor& boxes, const Tensor& box_indices,
                        const std::vector<int64_t>& image_size, const std::vector<int64_t>& size,
                        const std::string& method) {
    context->save_for_backward({boxes, box_indices});
    context->saved_data["size"] = size;
    context->saved_data["method"] = method;
    const BelowAutograd below;
    return crop_and_resize_backprop(gradient, boxes, box_indices, image_size, size, method);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor result =
        CropAndResize::apply(gradients[0], saved[0], saved[1], context->saved_data["size"].toIntVector(),
                             context->saved_data["method"].toStringRef(), 0.0);
    return {result, {}, {}, {}, {}, {}};
  }
};

torch::autograd::variable_list CropAndResize::backward(torch::autograd::AutogradContext* context,
                                                       const torch::autograd::variable_list& gradients) {
  const auto saved = context->get_saved_variables();
  const Tensor result = CropAndResizeBackprop::apply(
      gradients[0], saved[0], saved[1], context->saved_data["image_size"].toIntVector(),
      context->saved_data["size"].toIntVector(), context->saved_data["method"].toStringRef());
  return {result, {}, {}, {}, {}, {}};
}

Tensor crop_and_resize(const Tensor& image, const Tensor& boxes, const Tensor& box_indices, IntArrayRef size,
                       std::string_view method, double extrapolation_value) {
  if (at::GradMode::is_enabled() && image.requires_grad())
    return CropAndResize::apply(image, boxes, box_indices, size.vec(), std::string(method),
                                extrapolation_value);
  return crop_and_resize_below(image, boxes, box_indices, size, method, extrapolation_value);
}
Tensor crop_and_resize_meta(const Tensor& image, const Tensor& boxes, const Tensor& box_indices,
                            IntArrayRef size, std::string_view method, double) {
  check_crops(image, boxes, box_indices, size, method);
  return at::empty({boxes.size(0), size[0], size[1], image.size(3)}, image.options());
}
Tensor crop_and_resize_backprop_meta(const Tensor& gradient, const Tensor&, const Tensor&,
                                     IntArrayRef image_size, IntArrayRef, std::string_view) {
  return at::empty(image_size, gradient.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "non_max_suppression(Tensor boxes, Tensor scores, Tensor? classes, *, int max_output_size, float "
      "iou_threshold=0.5, float? score_threshold=None) -> Tensor",
      non_max_suppression);
  m.def(
      "combined_non_max_suppression(Tensor boxes, Tensor scores, *, int max_output_size_per_class, int "
      "max_total_size, float iou_threshold=0.5, float? score_threshold=None, bool pad_per_class=False, bool "
      "clip_boxes=True) -> (Tensor boxes, Tensor scores, Tensor classes, Tensor valid_detections)",
      combined_nms);
  m.def(
      "crop_and_resize(Tensor image, Tensor boxes, Tensor box_indices, *, int[2] size, str "
      "method='bilinear', "
      "float extrapolation_value=0) -> Tensor",
      crop_and_resize);
  m.def(
      "crop_and_resize_backprop(Tensor gradient, Tensor boxes, Tensor box_indices, *, int[] image_size, "
      "int[2] size, str method='bilinear') -> Tensor",
      crop_and_resize_backprop);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("non_max_suppression", non_max_suppression_meta);
  m.impl("combined_non_max_suppression", combined_nms_meta);
  m.impl("crop_and_resize", crop_and_resize_meta);
  m.impl("crop_and_resize_backprop", crop_and_resize_backprop_meta);
}

}  // namespace belfry
