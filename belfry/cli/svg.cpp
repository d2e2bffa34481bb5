#include "belfry/cli/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <unordered_map>

#include "belfry/cli/flops.h"
#include "belfry/cli/layout.h"
#include "belfry/cli/output.h"
#include "belfry/graph/node.h"

// A graph as an SVG picture: boxes for operators and ends, arrows for tensors, no weights. How large a box
// is follows from its text, in a font whose letters are all of one width; where it lies is layout.cpp's
// choice. Names come from files, and are escaped.
namespace belfry::cli {
namespace {

constexpr double kLetter = 7.3, kLine = 16, kPadding = 10;  // of 12 pixel high letters of one width
constexpr size_t kMostLetters = 40;

constexpr const char* kHead =
    R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}">
<style>
  text {{ font: 12px monospace; text-anchor: middle; fill: #222; }}
  .name {{ font-weight: bold; }}
  .shape {{ fill: #666; }}
  rect {{ stroke: #667; fill: #f4f4f8; }}
  .costly rect {{ fill: #dbe9ff; }}
  .end rect {{ fill: #e4f5e1; }}
  path {{ fill: none; stroke: #889; }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
  <path d="M0 0 L8 4 L0 8 z" style="fill: #889; stroke: none"/>
</marker></defs>
<rect width="100%" height="100%" style="fill: white; stroke: none"/>
)";

struct Label {
  std::string kind;  ///< a class of the style
  std::string name, operator_name, shape;
};

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c < ' ' || c > '~' ? '?' : c;
    }
  }
  return escaped;
}

/// The end of a long name tells it from others.
std::string shortened(const std::string& name) {
  if (name.size() <= kMostLetters) return name;
  return "..." + name.substr(name.size() - kMostLetters + 3);
}

std::string shapes_of(const Node& node) {
  std::vector<std::string> shapes;
  for (const NodeOutput& output : node.outputs())
    shapes.push_back(fmt::format("{} {}", to_string(output.dtype), compact(output.shape)));
  if (shapes.size() > 1) return fmt::format("{} outputs, first {}", shapes.size(), shapes[0]);
  return shapes.empty() ? "" : shapes[0];
}

std::string shape_of(const Tensor& tensor) {
  return fmt::format("{} {}", to_string(tensor.dtype()), compact(tensor.shape()));
}

/// Boxes for operators between ends, and arrows between boxes.
class Boxes {
 public:
  explicit Boxes(const Function& function) {
    for (size_t i = 0; i < function.inputs.size(); ++i)
      box_of_[&function.inputs[i].node()] =
          add({"end", function.input_names[i], "", shape_of(function.inputs[i])});
    for (const Node* node : function.calls()) {
      if (node->kind() == NodeKind::kConstant || box_of_.contains(node)) continue;
      const size_t box =
          add({is_product(*node) ? "costly" : "cheap", node->name(), node->op_name(), shapes_of(*node)});
      box_of_[node] = box;
      for (const Tensor& input : node->inputs()) connect(input, box);
    }
    for (size_t i = 0; i < function.outputs.size(); ++i)
      connect(function.outputs[i], add({"end", function.output_names[i], "", shape_of(function.outputs[i])}));
  }

  Drawing drawing;
  std::vector<Label> labels;

 private:
  size_t add(Label label) {
    label.name = shortened(label.name);
    const size_t letters = std::max({label.name.size(), label.operator_name.size(), label.shape.size()});
    const double lines = label.operator_name.empty() ? 2 : 3;
    drawing.boxes.push_back(
        {.width = kLetter * static_cast<double>(letters) + 2 * kPadding, .height = kLine * lines + kPadding});
    labels.push_back(std::move(label));
    return drawing.boxes.size() - 1;
  }
  void connect(const Tensor& tensor, size_t to) {
    const auto from = box_of_.find(&tensor.node());
    if (from == box_of_.end() || !connected_.emplace(from->second, to).second) return;
    drawing.arrows.push_back({.from = from->second, .to = to});
  }

  std::unordered_map<const Node*, size_t> box_of_;
  std::set<std::pair<size_t, size_t>> connected_;
};

void write_box(std::string& svg, const Box& box, const Label& label) {
  const auto out = std::back_inserter(svg);
  fmt::format_to(out, R"(<g class="{}"><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{}"/>)",
                 label.kind, box.x - box.width / 2, box.y - box.height / 2, box.width, box.height,
                 label.kind == "end" ? 16 : 4);
  double y = box.y - box.height / 2 + kPadding / 2 - 4;
  const auto line = [&](const char* kind, const std::string& text) {
    y += kLine;
    fmt::format_to(out, R"(<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>)", kind, box.x, y, escape(text));
  };
  line("name", label.name);
  if (!label.operator_name.empty()) line("operator", label.operator_name);
  line("shape", label.shape);
  svg += "</g>\n";
}

/// Lines through lanes, with curves between.
void write_arrow(std::string& svg, const Arrow& arrow) {
  const auto out = std::back_inserter(svg);
  fmt::format_to(out, R"svg(<path marker-end="url(#tip)" d="M{:.1f} {:.1f})svg", arrow.points[0].x,
                 arrow.points[0].y);
  for (size_t i = 1; i < arrow.points.size(); ++i) {
    const Point &a = arrow.points[i - 1], &b = arrow.points[i];
    if (a.x == b.x) {
      fmt::format_to(out, " L{:.1f} {:.1f}", b.x, b.y);
    } else {
      const double middle = (a.y + b.y) / 2;
      fmt::format_to(out, " C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", a.x, middle, b.x, middle, b.x, b.y);
    }
  }
  svg += "\"/>\n";
}

}  // namespace

std::string to_svg(const Function& function) {
  Boxes boxes(function);
  lay_out(boxes.drawing);
  std::string svg = fmt::format(kHead, boxes.drawing.width, boxes.drawing.height);
  for (const Arrow& arrow : boxes.drawing.arrows) write_arrow(svg, arrow);
  for (size_t i = 0; i < boxes.labels.size(); ++i) write_box(svg, boxes.drawing.boxes[i], boxes.labels[i]);
  return svg + "</svg>\n";
}

}  // namespace belfry::cli
