#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace belfry::cli {

/// A rectangle of a drawing, by its centre; y grows downwards.
struct Box {
  double width = 0, height = 0;
  double x = 0, y = 0;
};

struct Point {
  double x = 0, y = 0;
};

/// From the lower side of a box to the upper side of another; `points` are the ends and what lies between.
struct Arrow {
  size_t from = 0, to = 0;
  std::vector<Point> points = {};
};

struct Drawing {
  std::vector<Box> boxes;
  std::vector<Arrow> arrows;
  double width = 0, height = 0;
};

/// Places boxes of given sizes in layers, so that every arrow points down, few cross, and none runs through a
/// box. Requires: arrows lead from boxes to later ones.
void lay_out(Drawing& drawing);

}  // namespace belfry::cli
