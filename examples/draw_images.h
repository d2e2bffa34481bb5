#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

/// Prints images [N, H, W, C] in [0, 1] side by side, as many as fit, each over its caption. Two rows of
/// pixels share a line: grey half blocks on a terminal, shades elsewhere.
inline void draw_images(const at::Tensor& images, const std::vector<std::string>& captions) {
  constexpr const char* kShades[] = {" ", "░", "▒", "▓", "█"};
  const bool in_colour = ::isatty(STDOUT_FILENO);
  const int64_t width = std::max<int64_t>(images.size(2), 8);
  const int64_t count = std::min<int64_t>({images.size(0), 110 / (width + 2), std::ssize(captions)});
  const at::Tensor grey = images.slice(0, 0, count).to(at::kFloat).mean(3).clamp(0, 1);
  const at::Tensor even = at::constant_pad_nd(grey, {0, 0, 0, grey.size(1) % 2}).contiguous();
  const auto pixel = even.accessor<float, 3>();
  for (int64_t y = 0; y < even.size(1); y += 2) {
    std::string line;
    for (int64_t n = 0; n < count; ++n) {
      for (int64_t x = 0; x < even.size(2); ++x) {
        const float upper = pixel[n][y][x], lower = pixel[n][y + 1][x];
        line += in_colour ? fmt::format("\x1b[38;5;{}m\x1b[48;5;{}m▀", 232 + static_cast<int>(upper * 23),
                                        232 + static_cast<int>(lower * 23))
                          : kShades[static_cast<int>((upper + lower) * 2)];
      }
      line += in_colour ? "\x1b[0m" : "";
      line += std::string(static_cast<size_t>(width - even.size(2) + 2), ' ');
    }
    fmt::print("{}\n", line);
  }
  for (int64_t n = 0; n < count; ++n) fmt::print("{:<{}}", captions[static_cast<size_t>(n)], width + 2);
  fmt::print("\n");
}
