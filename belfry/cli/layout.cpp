#include "belfry/cli/layout.h"

#include <algorithm>
#include <limits>
#include <numeric>

// Layered drawing (Sugiyama et al., 1981): layers by longest path, places for arrows that pass through
// layers, orders by barycentres, then positions as near to the neighbours' as the order allows.

namespace belfry::cli {
namespace {

constexpr double kGap = 24, kLayerGap = 36, kMargin = 20;
constexpr double kLane = 10;  // width of an arrow that passes through a layer
constexpr int kSweeps = 12;

/// A box, or a place where an arrow passes through a layer.
struct Place {
  double width = kLane;
  double x = 0;
  size_t layer = 0;
  std::vector<size_t> above = {}, below = {};

  double half() const { return width / 2; }
};

class Layout {
 public:
  explicit Layout(Drawing& drawing) : drawing_(drawing) {}

  void run() {
    find_layers();
    add_lanes();
    order();
    position();
    finish();
  }

 private:
  /// The longest way from a box without arrows to it; such boxes stand right above the first that needs them.
  void find_layers() {
    for (const Box& box : drawing_.boxes) places_.push_back({.width = box.width});
    std::vector<Arrow*> by_source;
    for (Arrow& arrow : drawing_.arrows) by_source.push_back(&arrow);
    std::stable_sort(by_source.begin(), by_source.end(),
                     [](const Arrow* a, const Arrow* b) { return a->from < b->from; });
    std::vector<bool> is_fed(places_.size());
    std::vector<size_t> first_use(places_.size(), std::numeric_limits<size_t>::max());
    for (const Arrow* arrow : by_source) {
      places_[arrow->to].layer = std::max(places_[arrow->to].layer, places_[arrow->from].layer + 1);
      is_fed[arrow->to] = true;
    }
    for (const Arrow* arrow : by_source)
      first_use[arrow->from] = std::min(first_use[arrow->from], places_[arrow->to].layer);
    for (size_t i = 0; i < places_.size(); ++i) {
      if (!is_fed[i] && first_use[i] < std::numeric_limits<size_t>::max())
        places_[i].layer = first_use[i] - 1;
    }
  }

  /// Makes arrows into chains of places in neighbouring layers.
  void add_lanes() {
    for (const Arrow& arrow : drawing_.arrows) {
      std::vector<size_t> chain{arrow.from};
      for (size_t layer = places_[arrow.from].layer + 1; layer < places_[arrow.to].layer; ++layer) {
        chain.push_back(places_.size());
        places_.push_back({.layer = layer});
      }
      chain.push_back(arrow.to);
      for (size_t i = 0; i + 1 < chain.size(); ++i) {
        places_[chain[i]].below.push_back(chain[i + 1]);
        places_[chain[i + 1]].above.push_back(chain[i]);
      }
      chains_.push_back(std::move(chain));
    }
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].layer >= layers_.size()) layers_.resize(places_[i].layer + 1);
      layers_[places_[i].layer].push_back(i);
    }
  }

  /// Calls `visit` with each layer and the neighbours to look at, downwards and then upwards.
  template <typename Visit>
  void sweep(Visit visit) {
    for (auto& layer : layers_) visit(layer, &Place::above);
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) visit(*layer, &Place::below);
  }

  double mean_x(const Place& place, const std::vector<size_t>& neighbours) const {
    if (neighbours.empty()) return place.x;
    double sum = 0;
    for (size_t i : neighbours) sum += places_[i].x;
    return sum / static_cast<double>(neighbours.size());
  }

  /// While orders are sought, x is the number in the layer.
  void order() {
    const auto number = [&](const std::vector<size_t>& layer) {
      for (size_t i = 0; i < layer.size(); ++i) places_[layer[i]].x = static_cast<double>(i);
    };
    for (const auto& layer : layers_) number(layer);
    for (int i = 0; i < kSweeps; ++i) {
      sweep([&](std::vector<size_t>& layer, std::vector<size_t> Place::*side) {
        for (size_t place : layer) places_[place].x = mean_x(places_[place], places_[place].*side);
        std::stable_sort(layer.begin(), layer.end(),
                         [&](size_t a, size_t b) { return places_[a].x < places_[b].x; });
        number(layer);
      });
    }
  }

  double distance(size_t left, size_t right) const {
    return places_[left].half() + kGap + places_[right].half();
  }

  void position() {
    for (const auto& layer : layers_) {
      for (size_t i = 1; i < layer.size(); ++i)
        places_[layer[i]].x = places_[layer[i - 1]].x + distance(layer[i - 1], layer[i]);
    }
    for (int i = 0; i < kSweeps; ++i) {
      sweep([&](std::vector<size_t>& layer, std::vector<size_t> Place::*side) {
        std::vector<double> wanted;
        for (size_t place : layer) wanted.push_back(mean_x(places_[place], places_[place].*side));
        place_in_order(layer, wanted);
      });
    }
  }

  /// The positions in the order of the layer that are nearest to those wanted: after taking off the distances
  /// that must lie between them, an isotonic regression, by pooling neighbours that are in the wrong order.
  void place_in_order(const std::vector<size_t>& layer, const std::vector<double>& wanted) {
    struct Pool {
      double sum;
      double count;
      double mean() const { return sum / count; }
    };
    std::vector<double> offsets(layer.size(), 0);
    std::vector<Pool> pools;
    for (size_t i = 0; i < layer.size(); ++i) {
      if (i > 0) offsets[i] = offsets[i - 1] + distance(layer[i - 1], layer[i]);
      pools.push_back({wanted[i] - offsets[i], 1});
      while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
        const Pool last = pools.back();
        pools.pop_back();
        pools.back().sum += last.sum;
        pools.back().count += last.count;
      }
    }
    size_t next = 0;
    for (const Pool& pool : pools) {
      for (int i = 0; i < static_cast<int>(pool.count); ++i, ++next)
        places_[layer[next]].x = pool.mean() + offsets[next];
    }
  }

  void finish() {
    double left = std::numeric_limits<double>::max(), right = std::numeric_limits<double>::lowest();
    for (const Place& place : places_) {
      left = std::min(left, place.x - place.half());
      right = std::max(right, place.x + place.half());
    }
    std::vector<double> heights(layers_.size(), 0), tops(layers_.size(), kMargin);
    for (size_t i = 0; i < drawing_.boxes.size(); ++i)
      heights[places_[i].layer] = std::max(heights[places_[i].layer], drawing_.boxes[i].height);
    for (size_t i = 1; i < layers_.size(); ++i) tops[i] = tops[i - 1] + heights[i - 1] + kLayerGap;
    for (Place& place : places_) place.x += kMargin - left;
    for (size_t i = 0; i < drawing_.boxes.size(); ++i) {
      drawing_.boxes[i].x = places_[i].x;
      drawing_.boxes[i].y = tops[places_[i].layer] + heights[places_[i].layer] / 2;
    }
    for (size_t i = 0; i < chains_.size(); ++i) add_points(drawing_.arrows[i], chains_[i], tops, heights);
    drawing_.width = layers_.empty() ? 2 * kMargin : right - left + 2 * kMargin;
    drawing_.height = layers_.empty() ? 2 * kMargin : tops.back() + heights.back() + kMargin;
  }

  /// Straight down through every layer between.
  void add_points(Arrow& arrow, const std::vector<size_t>& chain, const std::vector<double>& tops,
                  const std::vector<double>& heights) {
    const Box &from = drawing_.boxes[arrow.from], &to = drawing_.boxes[arrow.to];
    arrow.points = {{from.x, from.y + from.height / 2}};
    for (size_t i = 1; i + 1 < chain.size(); ++i) {
      const Place& lane = places_[chain[i]];
      arrow.points.push_back({lane.x, tops[lane.layer]});
      arrow.points.push_back({lane.x, tops[lane.layer] + heights[lane.layer]});
    }
    arrow.points.push_back({to.x, to.y - to.height / 2});
  }

  Drawing& drawing_;
  std::vector<Place> places_;  // those of the boxes first
  std::vector<std::vector<size_t>> layers_, chains_;
};

}  // namespace

void lay_out(Drawing& drawing) {
  Layout(drawing).run();
}

}  // namespace belfry::cli
