#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace belfry {

struct TerminalBarOptions {
  /// In front of everything.
  std::string title = {};
  /// Iterations that were done before; they do not count for the speed.
  int64_t initial = 0;
  /// Least time between two drawings, in seconds. Default: 0.1 on a terminal, 15 elsewhere.
  std::optional<double> interval = {};
  /// Where a terminal's bar goes, piece by piece. Default: stderr, if that is a terminal; else the bar is
  /// made of lines of the log.
  std::function<void(const std::string&)> terminal = {};
  /// Seconds of a steady clock. Default: the system's.
  std::function<double()> clock = {};
};

/// Shows the progress of a loop: "45%|####     |270/600[00:05<00:06,52.1it/s] cost=0.12". On a terminal it
/// keeps a line to itself, and lines of the log appear above it. Safe to update from several threads; one bar
/// at a time owns the terminal, others are silent meanwhile.
class TerminalBar {
 public:
  /// `total`: number of iterations; none where it is not known.
  explicit TerminalBar(std::optional<int64_t> total, TerminalBarOptions options = {});
  /// Closes.
  ~TerminalBar();
  TerminalBar(TerminalBar&&) noexcept;
  TerminalBar& operator=(TerminalBar&&) noexcept;

  /// Counts `iterations` more, and draws if it is time.
  void update(int64_t iterations = 1);
  /// Text at the end of the line, from the next drawing on.
  void set_postfix(std::string text);
  /// Whether the next update() will draw: what costs something to compute need not be computed otherwise.
  bool is_due() const;
  /// Draws a last time and gives the line up.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace belfry
