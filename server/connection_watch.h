#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace kserve {

/// Keeps slow clients from holding a server's connections. It knows no sockets: connections are numbers, and
/// somebody else closes them. All methods are safe from any thread.
///
/// A connection waits for its client from its beginning, or the end of its last answer, until the whole
/// request is there, and again while the answer is sent. Who waits longer than `request_time` is closed. When
/// there are more than `connections`, the one that waits longest for a request is closed, unless it waits
/// for less than `grace`: so the clients that send their requests at once come in however many others do not.
class ConnectionWatch {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    size_t connections;
    std::chrono::milliseconds request_time;
    std::chrono::milliseconds grace = std::chrono::seconds(1);
  };

  /// `close` is called for each connection that is to end, once, under this object's lock: the number is
  /// still that of the connection. It is not to call this object.
  ConnectionWatch(const Limits& limits, std::function<void(int)> close);
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  /// A new connection, which waits for a request.
  void open(int connection);
  /// The connection is no more; its number may come again.
  void remove(int connection);

  /// The whole request is there: time is the server's own.
  void answer(int connection) { set(connection, State::kAnswering); }
  /// The answer is to be sent.
  void send(int connection) { set(connection, State::kSending); }
  /// The answer was sent: the next request may come.
  void receive(int connection) { set(connection, State::kReceiving); }

 private:
  enum class State { kReceiving, kAnswering, kSending, kClosing };
  struct Connection {
    State state;
    Clock::time_point since;
  };

  void set(int connection, State state);
  void watch();
  // Closes what is to be closed now. Returns when to look again.
  Clock::time_point sweep(Clock::time_point now);

  const Limits limits_;
  const std::function<void(int)> close_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, Connection> connections_;  // guarded by mutex_, as all below
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace kserve
