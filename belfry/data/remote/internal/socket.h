#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

namespace belfry::internal {

/// Binds or connects `socket`. Throws UsageError, with the name of the stage, when ZeroMQ refuses.
void attach(zmq::socket_t& socket, const std::string& address, bool bind, std::string_view stage);

enum class Waited { kReady, kStopped, kTimeout };

/// Waits until one of `items` is ready, `stop` is requested or `timeout` is over.
Waited wait_for_any(std::vector<zmq::pollitem_t>& items, const std::stop_token& stop,
                    std::optional<std::chrono::milliseconds> timeout);

}  // namespace belfry::internal
