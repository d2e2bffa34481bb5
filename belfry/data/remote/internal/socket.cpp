#include "belfry/data/remote/internal/socket.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"

namespace belfry::internal {
namespace {

// How often a waiting thread looks whether it is to stop.
constexpr std::chrono::milliseconds kLook{50};

}  // namespace

void attach(zmq::socket_t& socket, const std::string& address, bool bind, std::string_view stage) {
  try {
    if (bind) {
      socket.bind(address);
    } else {
      socket.connect(address);
    }
  } catch (const zmq::error_t& e) {
    throw UsageError(
        fmt::format("[{}] cannot {} \"{}\": {}", stage, bind ? "bind" : "connect to", address, e.what()));
  }
}

Waited wait_for_any(std::vector<zmq::pollitem_t>& items, const std::stop_token& stop,
                    std::optional<std::chrono::milliseconds> timeout) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  while (!stop.stop_requested()) {
    std::chrono::milliseconds wait = kLook;
    if (timeout) {
      const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
      wait = std::clamp(*timeout - waited, std::chrono::milliseconds(0), kLook);
    }
    try {
      if (zmq::poll(items, wait) > 0) return Waited::kReady;
    } catch (const zmq::error_t& e) {
      if (e.num() != EINTR) throw;  // a signal came
    }
    if (timeout && Clock::now() - begin >= *timeout) return Waited::kTimeout;
  }
  return Waited::kStopped;
}

}  // namespace belfry::internal
