#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/service.h"

namespace kserve {

struct HttpOptions {
  std::string address = "127.0.0.1";
  /// 0: any free port.
  uint16_t port = 0;
  /// A request with a larger body is refused (413) before the body is read.
  size_t max_body = 64 << 20;
  /// Each has a thread, which waits while its request is in a batch. When more clients come, those that have
  /// not sent a whole request for a second are closed, the longest first; where all are busy, the rest waits.
  unsigned connections = 64;
  /// Of one client address; 0: all of `connections`. Behind a proxy all clients have the proxy's address.
  unsigned connections_per_address = 0;
  /// A connection on which nothing moves for this long is closed.
  std::chrono::seconds timeout{10};
  /// As is one whose request, from the connection's beginning or the last answer to its last byte, or whose
  /// answer takes longer than this to travel.
  std::chrono::seconds request_timeout{30};
};

/// An HTTP/1.1 server (GNU libmicrohttpd) in front of a service, with threads of its own.
class HttpServer {
 public:
  /// Starts to listen. Throws belfry::UsageError for an address that is not IPv4's, and when it cannot be
  /// had. The service must outlive the server.
  HttpServer(InferenceService& service, const HttpOptions& options);
  /// As stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

  /// Takes no more connections, lets the requests that have begun come to their ends for up to `patience`,
  /// and closes all connections. May be called again.
  void stop(std::chrono::milliseconds patience = std::chrono::seconds(10));

 private:
  struct Daemon;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace kserve
