#include "belfry/data/remote/remote_data_zmq.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/data/remote/internal/socket.h"
#include "belfry/dataflow/serialize.h"

namespace belfry {
namespace {

constexpr const char* kStage = "RemoteDataZMQ";

}  // namespace

struct RemoteDataZMQ::Counts {
  std::array<std::atomic<int64_t>, 2> of_address = {0, 0};
};

namespace {

// The context outlives the sockets; destroying it waits until they are closed, so that the address is free.
class Receiver {
 public:
  Receiver(std::array<std::string, 2> addresses, RemoteDataZMQOptions options)
      : addresses_(std::move(addresses)), options_(std::move(options)) {
    for (const std::string& address : addresses_) {
      if (address.empty()) continue;
      zmq::socket_t& socket = sockets_.emplace_back(context_, zmq::socket_type::pull);
      socket.set(zmq::sockopt::rcvhwm, options_.hwm);
      socket.set(zmq::sockopt::maxmsgsize, options_.max_message_bytes);
      socket.set(zmq::sockopt::linger, 0);
      internal::attach(socket, address, options_.bind, kStage);
    }
    for (zmq::socket_t& socket : sockets_) items_.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  }

  struct Received {
    Datapoint datapoint;
    size_t from;  // which address
  };

  /// nullopt when it was told to stop.
  std::optional<Received> next() {
    switch (internal::wait_for_any(items_, options_.stop, options_.timeout)) {
      case internal::Waited::kReady:
        break;
      case internal::Waited::kStopped:
        return std::nullopt;
      case internal::Waited::kTimeout:
        throw DataError(
            fmt::format("[{}] expected a datapoint within {} ms at {}, got none after {} messages: are the "
                        "senders gone?",
                        kStage, options_.timeout->count(), addresses_[0], messages_));
    }
    // The address after the last one has the first turn, so that a fast one does not shut the other out.
    do {
      turn_ = (turn_ + 1) % sockets_.size();
    } while (!(items_[turn_].revents & ZMQ_POLLIN));
    zmq::message_t message;
    const std::string where = fmt::format("[{}] message {} at {}", kStage, messages_++, addresses_[turn_]);
    if (!sockets_[turn_].recv(message)) throw InternalError(where + ": a socket that is ready gave nothing");
    if (message.more()) throw DataError(where, "expected one frame, got several");
    return Received{loads({static_cast<const std::byte*>(message.data()), message.size()}, where), turn_};
  }

 private:
  std::array<std::string, 2> addresses_;
  RemoteDataZMQOptions options_;
  zmq::context_t context_{1};
  std::vector<zmq::socket_t> sockets_;
  std::vector<zmq::pollitem_t> items_;
  size_t turn_ = 0;
  int64_t messages_ = 0;
};

}  // namespace

RemoteDataZMQ::RemoteDataZMQ(std::string addr, RemoteDataZMQOptions options)
    : addresses_{std::move(addr), options.addr2},
      options_(std::move(options)),
      counts_(std::make_shared<Counts>()) {
  if (addresses_[0].empty())
    throw UsageError(fmt::format("[{}] expected an address, got an empty one", kStage));
  if (options_.hwm <= 0 || options_.max_message_bytes <= 0) {
    throw UsageError(fmt::format("[{}] expected hwm > 0 and max_message_bytes > 0, got {} and {}", kStage,
                                 options_.hwm, options_.max_message_bytes));
  }
}

DataIterator RemoteDataZMQ::start_pass(int64_t) {
  auto receiver = std::make_unique<Receiver>(addresses_, options_);
  return DataIterator(
      [receiver = std::move(receiver), counts = counts_]() mutable -> std::optional<Datapoint> {
        std::optional<Receiver::Received> received = receiver->next();
        if (!received) return std::nullopt;
        ++counts->of_address[received->from];
        return std::move(received->datapoint);
      });
}

void RemoteDataZMQ::reset_state() {
  for (std::atomic<int64_t>& count : counts_->of_address) count = 0;
  DataFlow::reset_state();
}

std::array<int64_t, 2> RemoteDataZMQ::received() const {
  return {counts_->of_address[0], counts_->of_address[1]};
}

}  // namespace belfry
