#include "belfry/data/viz/colormap.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>

#include "belfry/base/error.h"

// Colour maps are functions of [0, 1], of which tables of 256 steps are made: matplotlib's way and its
// numbers (matplotlib.colors.LinearSegmentedColormap). "cubehelix" is by D. A. Green, Bull. Astr. Soc. India
// 39 (2011) 289.
namespace belfry::viz {
namespace {

constexpr int kSteps = 256;
using Color = std::array<double, 3>;
using Table = std::array<Color, kSteps>;
using Points = std::vector<std::pair<double, double>>;

Color cubehelix(double x) {
  constexpr double kStart = 0.5, kRotations = -1.5;
  constexpr double kOfCosine[3] = {-0.14861, -0.29227, 1.97294}, kOfSine[3] = {1.78277, -0.90649, 0};
  const double amplitude = x * (1 - x) / 2, angle = 2 * std::numbers::pi * (kStart / 3 + kRotations * x);
  Color color;
  for (size_t c = 0; c < 3; ++c)
    color[c] = x + amplitude * (kOfCosine[c] * std::cos(angle) + kOfSine[c] * std::sin(angle));
  return color;
}

double between(const Points& points, double x) {
  size_t next = 1;
  while (next + 1 < points.size() && points[next].first < x) ++next;
  const auto [x0, y0] = points[next - 1];
  const auto [x1, y1] = points[next];
  return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

Color jet(double x) {
  static const Points red{{0, 0}, {0.35, 0}, {0.66, 1}, {0.89, 1}, {1, 0.5}};
  static const Points green{{0, 0}, {0.125, 0}, {0.375, 1}, {0.64, 1}, {0.91, 0}, {1, 0}};
  static const Points blue{{0, 0.5}, {0.11, 1}, {0.34, 1}, {0.65, 0}, {1, 0}};
  return {between(red, x), between(green, x), between(blue, x)};
}

Color hot(double x) {
  static const Points red{{0, 0.0416}, {0.365079, 1}, {1, 1}};
  static const Points green{{0, 0}, {0.365079, 0}, {0.746032, 1}, {1, 1}};
  static const Points blue{{0, 0}, {0.746032, 0}, {1, 1}};
  return {between(red, x), between(green, x), between(blue, x)};
}

Color gray(double x) {
  return {x, x, x};
}

Table table_of(const std::string& cmap) {
  static const std::map<std::string, std::function<Color(double)>> functions = {
      {"cubehelix", cubehelix}, {"gray", gray}, {"hot", hot}, {"jet", jet}};
  const auto found = functions.find(cmap);
  if (found == functions.end()) {
    std::vector<std::string> names;
    for (const auto& [name, function] : functions) names.push_back(name);
    throw UsageError(fmt::format("[intensity_to_rgb] expected a colour map of {}, got '{}'",
                                 fmt::join(names, ", "), cmap));
  }
  Table table;
  for (int i = 0; i < kSteps; ++i) {
    table[static_cast<size_t>(i)] = found->second(i / (kSteps - 1.0));
    for (double& value : table[static_cast<size_t>(i)]) value = std::clamp(value, 0.0, 1.0);
  }
  return table;
}

Color color_of(const Table& table, double intensity) {
  if (std::isnan(intensity)) return {};
  const double step = std::clamp(std::floor(intensity * kSteps), 0.0, kSteps - 1.0);
  return table[static_cast<size_t>(step)];
}

}  // namespace

at::Tensor intensity_to_rgb(const at::Tensor& intensity, const std::string& cmap, bool normalize) {
  if (!intensity.defined() || intensity.dim() != 2 || intensity.is_complex()) {
    throw UsageError(fmt::format("[intensity_to_rgb] expected real numbers [H, W], got {} dimensions",
                                 intensity.defined() ? intensity.dim() : 0));
  }
  const Table table = table_of(cmap);
  at::Tensor values = intensity.detach().cpu().to(at::kDouble).contiguous();
  if (normalize && values.numel() > 0) {
    values = values.sub(values.min());
    values = values.div(values.max());
  }
  at::Tensor rgb = at::empty({values.size(0), values.size(1), 3}, at::kFloat);
  const double* in = values.const_data_ptr<double>();
  float* out = rgb.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    for (double value : color_of(table, in[i])) *out++ = static_cast<float>(value) * 255.0F;
  }
  return rgb;
}

const std::vector<std::array<float, 3>>& palette_rgb() {
  static const std::vector<std::array<float, 3>> palette = [] {
    std::vector<std::array<float, 3>> colors = {
        {0, .447F, .741F},
        {.85F, .325F, .098F},
        {.929F, .694F, .125F},
        {.494F, .184F, .556F},
        {.466F, .674F, .188F},
        {.301F, .745F, .933F},
        {.635F, .078F, .184F},
        {.3F, .3F, .3F},
        {.6F, .6F, .6F},
        {1, 0, 0},
        {1, .5F, 0},
        {.749F, .749F, 0},
        {0, 1, 0},
        {0, 0, 1},
        {.667F, 0, 1},
    };
    constexpr float kThirds[] = {0, .333F, .667F, 1}, kSixths[] = {.167F, .333F, .5F, .667F, .833F, 1};
    constexpr float kSevenths[] = {0, .143F, .286F, .429F, .571F, .714F, .857F, 1};
    // All that mix red and green, then with half of blue and with all of it; but no pure blue, and no white.
    for (int r = 1; r < 4; ++r) {
      for (int g = 1; g < 4; ++g) colors.push_back({kThirds[r], kThirds[g], 0});
    }
    for (int i = 1; i < 16; ++i) colors.push_back({kThirds[i / 4], kThirds[i % 4], .5F});
    for (int i = 1; i < 15; ++i) colors.push_back({kThirds[i / 4], kThirds[i % 4], 1});
    for (float value : kSixths) colors.push_back({value, 0, 0});
    for (float value : kSixths) colors.push_back({0, value, 0});
    for (float value : kSixths) colors.push_back({0, 0, value});
    for (float value : kSevenths) colors.push_back({value, value, value});
    for (std::array<float, 3>& color : colors) {
      for (float& value : color) value *= 255;
    }
    return colors;
  }();
  return palette;
}

}  // namespace belfry::viz
