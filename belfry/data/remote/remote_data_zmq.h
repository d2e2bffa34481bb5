#pragma once

#include <array>
#include <chrono>
#include <stop_token>
#include <string>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct RemoteDataZMQOptions {
  /// A second address to receive from, for senders that use another protocol; "" for none.
  std::string addr2 = "";
  /// ZeroMQ's high-water mark: how many datapoints may wait in this process for each sender.
  int hwm = 50;
  /// Whether this side binds the addresses, and senders connect to them, or the reverse.
  bool bind = true;
  /// A pass that has waited this long for a datapoint throws DataError; nullopt: it waits for ever.
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  /// Ends passes, within 0.1 s, when it is requested: for programs that stop while another thread (a
  /// PrefetchData's, say) waits for a datapoint.
  std::stop_token stop = {};
  /// A sender of a larger frame is disconnected, before memory is taken for it. ZeroMQ has no limit for a
  /// message of many frames, which it keeps whole until its last one has come.
  int64_t max_message_bytes = int64_t{1} << 30;
};

/// Produces the datapoints that `send_dataflow_zmq`, here or of tensorpack, sends to an address, in the order
/// in which they arrive: for preparing data in other processes or on other machines. A pass has no end.
///
/// Addresses are ZeroMQ's: "tcp://*:8877" (to bind), "tcp://10.0.0.2:8877", "ipc:///tmp/data", "ipc://@data"
/// (Linux, without a file). Several senders may connect to one receiver; they come and go as they like, and
/// what a sender had sent when it went is received. Nothing tells a sender that is slow from one that is
/// gone: that is what `timeout` is for.
///
/// A pass owns its sockets: they open when it starts and are free again when it is destroyed. So with `bind`
/// there is one pass at a time. What was received is gone: no position in the data can be returned to.
///
/// A message that is no datapoint is a DataError, which names the address and counts the message.
/// tensorpack's default serialisation (pickle) is understood as well as MessagePack, without running code
/// that it may hold; but anybody who reaches the address can send data, and can fill this process's memory
/// with a message that never ends. So let only machines you trust reach it: bind to an address of a private
/// network, or to 127.0.0.1 behind a tunnel, rather than to "*".
class RemoteDataZMQ : public DataFlow {
 public:
  /// Throws UsageError when `addr` is empty or a number is not positive.
  explicit RemoteDataZMQ(std::string addr, RemoteDataZMQOptions options = {});

  /// Throws UsageError when an address is not valid or cannot be bound.
  DataIterator start_pass(int64_t pass) override;
  bool can_resume() const override { return false; }
  /// Also sets `received()` to zero.
  void reset_state() override;

  /// How many datapoints came from each address since the last `reset_state()`. Safe from any thread.
  std::array<int64_t, 2> received() const;

 private:
  struct Counts;

  std::array<std::string, 2> addresses_;
  RemoteDataZMQOptions options_;
  std::shared_ptr<Counts> counts_;
};

struct SendDataflowOptions {
  /// ZeroMQ's high-water mark: how many datapoints may wait in this process for each receiver.
  int hwm = 50;
  /// Whether this side binds the address, and receivers connect to it, or the reverse.
  bool bind = false;
  /// How many passes are sent; -1: one after the other for ever.
  int64_t num_passes = -1;
  /// Throws Error when no receiver has taken a datapoint for this long; nullopt: waits for ever.
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  /// Returns, within 0.1 s, when it is requested; datapoints that were not sent yet are dropped.
  std::stop_token stop = {};
  /// How long to wait at the end for datapoints to leave that are on their way to a receiver.
  std::chrono::milliseconds linger = std::chrono::seconds(10);
};

/// Sends the datapoints of `flow` to a ZeroMQ address (see RemoteDataZMQ), each to one of the receivers
/// there, in turn. Returns how many it sent, when the passes are over, one of them was empty, or `stop` is
/// requested. Logs when it starts and ends.
///
/// tensorpack receives with `RemoteDataZMQ` when TENSORPACK_SERIALIZE=msgpack is set in its environment. (The
/// format of the package zmq_ops is not supported.) What was handed to a receiver that then goes away is
/// lost; what waits is sent when it, or another, comes back.
///
/// Throws UsageError when the address is not valid or cannot be bound, or an option makes no sense, and what
/// the flow throws.
int64_t send_dataflow_zmq(AnyDataFlow flow, const std::string& addr, SendDataflowOptions options = {});

}  // namespace belfry
