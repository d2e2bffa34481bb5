#include "belfry/base/terminal_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>

#include "belfry/base/log.h"

// A progress bar: a line that is drawn over and over on a terminal, or a log line now and then where there
// is none. Invariant: at most one bar draws on the terminal at a time; a second one beside it is silent.
// Speed is a moving average over drawings.
namespace belfry {
namespace {

constexpr double kTerminalInterval = 0.1, kLogInterval = 15;
/// How much one drawing's speed counts against the speed so far.
constexpr double kSmoothing = 0.5;
constexpr char kClearLine[] = "\r\033[K";

/// Set while a bar owns the terminal.
std::atomic<bool> terminal_taken{false};

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void write_to_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

int stderr_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// "00:05", "1:02:03"
std::string format_time(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const auto total = static_cast<int64_t>(seconds);
  const int64_t hours = total / 3600, minutes = total / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
                   : fmt::format("{:02}:{:02}", minutes, total % 60);
}

/// "52.1it/s"
std::string format_rate(double rate) {
  if (!std::isfinite(rate)) return "?it/s";
  return rate >= 100 ? fmt::format("{:.0f}it/s", rate) : fmt::format("{:.3g}it/s", rate);
}

}  // namespace

struct TerminalBar::State {
  State(std::optional<int64_t> total, TerminalBarOptions options)
      : total(total), options(std::move(options)) {
    if (!this->options.clock) this->options.clock = steady_seconds;
    if (!this->options.terminal && isatty(STDERR_FILENO)) this->options.terminal = write_to_stderr;
    const bool wants_terminal = static_cast<bool>(this->options.terminal);
    interval = this->options.interval.value_or(wants_terminal ? kTerminalInterval : kLogInterval);
    owns_terminal = wants_terminal && !terminal_taken.exchange(true);
    is_silent = wants_terminal && !owns_terminal;
    start = last_time = this->options.clock();
    count = last_count = this->options.initial;
  }

  bool is_due() const { return !is_silent && options.clock() - last_time >= interval; }

  void measure() {
    const double now = options.clock();
    if (count > last_count && now > last_time) {
      const double speed = static_cast<double>(count - last_count) / (now - last_time);
      rate = std::isnan(rate) ? speed : kSmoothing * speed + (1 - kSmoothing) * rate;
    }
    last_time = now;
    last_count = count;
  }

  std::string line(size_t columns) const {
    const double elapsed = last_time - start;
    const std::string head = options.title.empty() ? "" : options.title + ": ";
    const std::string tail = postfix.empty() ? "" : " " + postfix;
    if (!total)
      return fmt::format("{}{}it[{},{}]{}", head, count, format_time(elapsed), format_rate(rate), tail);
    const double share = *total > 0 ? static_cast<double>(count) / static_cast<double>(*total) : 1;
    const double left = std::max<double>(0, static_cast<double>(*total - count)) / rate;
    const std::string left_side = fmt::format("{}{:3.0f}%", head, std::floor(share * 100));
    const std::string right_side =
        fmt::format("{}/{}[{}<{},{}]{}", count, *total, format_time(elapsed),
                    count >= *total ? "00:00" : format_time(left), format_rate(rate), tail);
    const size_t used = left_side.size() + right_side.size() + 3;
    if (columns <= used) return left_side + " " + right_side;
    const size_t width = std::min<size_t>(columns - used, 40);
    const auto filled = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
    return left_side + "|" + std::string(filled, '#') + std::string(width - filled, ' ') + "|" + right_side;
  }

  void draw_on_terminal() { options.terminal(kClearLine + line(static_cast<size_t>(stderr_columns()))); }

  mutable std::mutex mutex;
  std::optional<int64_t> total;
  TerminalBarOptions options;
  double interval = 0;
  bool owns_terminal = false, is_silent = false, is_closed = false;
  int64_t count = 0, last_count = 0;
  double start = 0, last_time = 0;
  double rate = NAN;
  std::string postfix;
};

TerminalBar::TerminalBar(std::optional<int64_t> total, TerminalBarOptions options)
    : state_(std::make_shared<State>(total, std::move(options))) {
  if (!state_->owns_terminal) return;
  set_log_overlay({.clear =
                       [state = state_] {
                         std::lock_guard lock(state->mutex);
                         state->options.terminal(kClearLine);
                       },
                   .redraw =
                       [state = state_] {
                         std::lock_guard lock(state->mutex);
                         state->draw_on_terminal();
                       }});
}

TerminalBar::~TerminalBar() {
  close();
}

TerminalBar::TerminalBar(TerminalBar&&) noexcept = default;

TerminalBar& TerminalBar::operator=(TerminalBar&& other) noexcept {
  close();
  state_ = std::move(other.state_);
  return *this;
}

void TerminalBar::update(int64_t iterations) {
  std::string log_line;
  {
    std::lock_guard lock(state_->mutex);
    state_->count += iterations;
    if (!state_->is_due()) return;
    state_->measure();
    if (state_->owns_terminal) {
      state_->draw_on_terminal();
    } else {
      log_line = state_->line(0);
    }
  }
  // Outside the lock: the log may call the overlay of a bar.
  if (!log_line.empty()) log_info("{}", log_line);
}

void TerminalBar::set_postfix(std::string text) {
  std::lock_guard lock(state_->mutex);
  state_->postfix = std::move(text);
}

bool TerminalBar::is_due() const {
  std::lock_guard lock(state_->mutex);
  return state_->is_due();
}

void TerminalBar::close() {
  if (!state_) return;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->is_closed) return;
    state_->is_closed = true;
    state_->measure();
    state_->rate =
        static_cast<double>(state_->count - state_->options.initial) / (state_->last_time - state_->start);
  }
  if (state_->owns_terminal) {
    set_log_overlay({});
    state_->draw_on_terminal();
    state_->options.terminal("\n");
    terminal_taken = false;
  } else if (!state_->is_silent) {
    log_info("{}", state_->line(0));
  }
}

}  // namespace belfry
