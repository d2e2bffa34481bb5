#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "service.h"

namespace kserve {

struct HttpOptions {
  std::string address = "127.0.0.1";
  /// 0: any free port.
  uint16_t port = 0;
  /// A request with a larger body is refused (413) before the body is read.
  size_t max_body = 64 << 20;
  /// Each has a thread, which waits while its request is in a batch.
  unsigned connections = 64;
  /// A connection on which nothing moves for this long is closed.
  std::chrono::seconds timeout{10};
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
