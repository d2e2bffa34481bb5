#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/data/remote/internal/socket.h"
#include "belfry/data/remote/remote_data_zmq.h"
#include "belfry/dataflow/serialize.h"

namespace belfry {
namespace {

constexpr const char* kStage = "send_dataflow_zmq";

// ZeroMQ sends from the string itself and frees it.
zmq::message_t message_of(std::string bytes) {
  auto* kept = new std::string(std::move(bytes));
  return zmq::message_t(
      kept->data(), kept->size(), [](void*, void* string) { delete static_cast<std::string*>(string); },
      kept);
}

class Sender {
 public:
  Sender(const std::string& address, const SendDataflowOptions& options)
      : address_(address), options_(options), socket_(context_, zmq::socket_type::push) {
    socket_.set(zmq::sockopt::sndhwm, options.hwm);
    socket_.set(zmq::sockopt::linger, 0);
    internal::attach(socket_, address, options.bind, kStage);
    items_.push_back({socket_.handle(), 0, ZMQ_POLLOUT, 0});
  }

  /// False when it was told to stop.
  bool send(const Datapoint& datapoint) {
    zmq::message_t message = message_of(dumps(datapoint));
    while (true) {
      switch (internal::wait_for_any(items_, options_.stop, options_.timeout)) {
        case internal::Waited::kReady:
          break;
        case internal::Waited::kStopped:
          return false;
        case internal::Waited::kTimeout:
          throw Error(
              fmt::format("[{}] expected a receiver at {} to take datapoint {} within {} ms, none did",
                          kStage, address_, sent_, options_.timeout->count()));
      }
      if (socket_.send(message, zmq::send_flags::dontwait)) break;  // else its receiver has just gone
    }
    ++sent_;
    return true;
  }

  /// What is on its way has this long to leave.
  void finish() { socket_.set(zmq::sockopt::linger, static_cast<int>(options_.linger.count())); }

  int64_t sent() const { return sent_; }

 private:
  const std::string& address_;
  const SendDataflowOptions& options_;
  zmq::context_t context_{1};
  zmq::socket_t socket_;
  std::vector<zmq::pollitem_t> items_;
  int64_t sent_ = 0;
};

}  // namespace

int64_t send_dataflow_zmq(AnyDataFlow flow, const std::string& addr, SendDataflowOptions options) {
  if (addr.empty()) throw UsageError(fmt::format("[{}] expected an address, got an empty one", kStage));
  if (options.hwm <= 0 || (options.num_passes <= 0 && options.num_passes != -1) ||
      options.linger.count() < 0) {
    throw UsageError(
        fmt::format("[{}] expected hwm > 0, num_passes > 0 or -1 and linger >= 0, got {}, {} and {} ms",
                    kStage, options.hwm, options.num_passes, options.linger.count()));
  }
  Sender sender(addr, options);
  log_info("[{}] sending to {}", kStage, addr);
  for (int64_t pass = 0; pass != options.num_passes; ++pass) {
    const int64_t before = sender.sent();
    for (Datapoint& datapoint : flow->iterator()) {
      if (!sender.send(datapoint)) {
        log_info("[{}] stopped after {} datapoints to {}", kStage, sender.sent(), addr);
        return sender.sent();
      }
    }
    if (sender.sent() == before) break;
  }
  sender.finish();
  log_info("[{}] sent {} datapoints to {}", kStage, sender.sent(), addr);
  return sender.sent();
}

}  // namespace belfry
