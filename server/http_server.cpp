#include "http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <string_view>

#include "belfry/base/error.h"
#include "connection_watch.h"

// The sockets, libmicrohttpd's, in front of InferenceService, which knows no HTTP library. A request is
// refused by its headers before its body is taken; a connection that takes too long is closed by
// ConnectionWatch; stop() takes nothing new and waits for what has begun.
namespace kserve {
namespace {

/// The requests that have begun and are not answered yet.
class InProgress {
 public:
  void add(int change) {
    {
      std::lock_guard lock(mutex_);
      count_ += change;
    }
    changed_.notify_all();
  }
  void wait_for_none(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// One request, from its headers to the end of its answer.
struct Exchange {
  explicit Exchange(InProgress& in_progress) : in_progress(in_progress) { in_progress.add(1); }
  ~Exchange() { in_progress.add(-1); }

  InProgress& in_progress;
  HttpRequest request;
};

std::optional<std::string> header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

int count_headers(MHD_Connection* connection, std::string_view name) {
  struct Count {
    std::string_view name;
    int found = 0;
  } count{name};
  auto add = [](void* self, MHD_ValueKind, const char* key, const char*) {
    auto& count = *static_cast<Count*>(self);
    if (std::ranges::equal(count.name, std::string_view(key),
                           [](char a, char b) { return std::tolower(a) == std::tolower(b); }))
      ++count.found;
    return MHD_YES;
  };
  MHD_get_connection_values(connection, MHD_HEADER_KIND, add, &count);
  return count.found;
}

/// Throws when the request must not send its body.
void check_headers(MHD_Connection* connection, size_t max_body) {
  // A proxy before us may believe another one of them, and so see other requests than we do.
  if (count_headers(connection, "Content-Length") > 1) {
    throw HttpError(400, "[http] expected one Content-Length, got several");
  }
  if (header(connection, "Transfer-Encoding")) {
    throw HttpError(411, "[http] expected a Content-Length, got a Transfer-Encoding");
  }
  if (header(connection, "Content-Encoding")) {
    throw HttpError(415, "[http] expected a body as it is, got a Content-Encoding");
  }
  const std::string length = header(connection, "Content-Length").value_or("0");
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (error != std::errc() || *end != 0 || bytes > max_body) {
    throw HttpError(413,
                    fmt::format("[http] expected a body of at most {} bytes, got {:.30}", max_body, length));
  }
}

MHD_Result send(MHD_Connection* connection, const HttpResponse& answer) {
  // The flag says who frees the buffer; without const in its type, it is only read.
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", answer.content_type.c_str());
  for (const auto& [name, value] : answer.headers)
    MHD_add_response_header(response, name.c_str(), value.c_str());
  const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

// MHD calls back in many threads, for one connection in one at a time.
struct HttpServer::Daemon {
  Daemon(InferenceService& s, const HttpOptions& options)
      : service(s),
        max_body(options.max_body),
        watch({.connections = options.connections, .request_time = options.request_timeout},
              [](int socket) { ::shutdown(socket, SHUT_RDWR); }) {}

  // Room for those that come while others are being closed for them.
  static unsigned most_connections(unsigned connections) { return connections + connections / 4 + 8; }

  static int socket_of(MHD_Connection* connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  }

  MHD_Result on_headers(MHD_Connection* connection, const char* url, const char* method, void** slot) {
    auto exchange = std::make_unique<Exchange>(in_progress);
    exchange->request.method = method;
    exchange->request.path = url;
    exchange->request.json_bytes = header(connection, "Inference-Header-Content-Length");
    *slot = exchange.release();
    try {
      check_headers(connection, max_body);
    } catch (const HttpError& error) {
      return send(connection, service.refuse(error));  // libmicrohttpd closes the connection, unread as it is
    }
    return MHD_YES;
  }

  MHD_Result on_request(MHD_Connection* connection, const char* url, const char* method, const char* data,
                        size_t* size, void** slot) {
    if (!*slot) return on_headers(connection, url, method, slot);
    HttpRequest& request = static_cast<Exchange*>(*slot)->request;
    if (*size == 0) {
      watch.answer(socket_of(connection));
      const HttpResponse answer = service.handle(request);
      watch.send(socket_of(connection));
      return send(connection, answer);
    }
    request.body.append(data, *size);
    *size = 0;
    return MHD_YES;
  }

  static MHD_Result call_on_request(void* self, MHD_Connection* connection, const char* url,
                                    const char* method, const char*, const char* data, size_t* size,
                                    void** slot) {
    try {
      return static_cast<Daemon*>(self)->on_request(connection, url, method, data, size, slot);
    } catch (const std::exception&) {
      return MHD_NO;  // out of memory: closes the connection
    }
  }

  static void call_on_end(void* self, MHD_Connection* connection, void** slot, MHD_RequestTerminationCode) {
    static_cast<Daemon*>(self)->watch.receive(socket_of(connection));
    delete static_cast<Exchange*>(*slot);
    *slot = nullptr;
  }

  static void call_on_connection(void* self, MHD_Connection* connection, void**,
                                 MHD_ConnectionNotificationCode what) {
    ConnectionWatch& watch = static_cast<Daemon*>(self)->watch;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
      watch.open(socket_of(connection));
    } else {
      watch.remove(socket_of(connection));
    }
  }

  InferenceService& service;
  const size_t max_body;
  InProgress in_progress;
  ConnectionWatch watch;
  MHD_Daemon* daemon = nullptr;
};

HttpServer::HttpServer(InferenceService& service, const HttpOptions& options)
    : daemon_(std::make_unique<Daemon>(service, options)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    throw belfry::UsageError("[HttpServer] expected an IPv4 address, got " + options.address);
  }
  daemon_->daemon = MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC, options.port, nullptr,
      nullptr, &Daemon::call_on_request, daemon_.get(), MHD_OPTION_NOTIFY_COMPLETED, &Daemon::call_on_end,
      daemon_.get(), MHD_OPTION_NOTIFY_CONNECTION, &Daemon::call_on_connection, daemon_.get(),
      MHD_OPTION_SOCK_ADDR, reinterpret_cast<sockaddr*>(&address), MHD_OPTION_CONNECTION_LIMIT,
      Daemon::most_connections(options.connections), MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      options.connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(options.timeout.count()), MHD_OPTION_END);
  if (!daemon_->daemon) {
    throw belfry::UsageError(fmt::format("[HttpServer] expected to listen on {}:{}, got: {}", options.address,
                                         options.port, std::strerror(errno)));
  }
}

HttpServer::~HttpServer() {
  stop();
}

uint16_t HttpServer::port() const {
  return MHD_get_daemon_info(daemon_->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void HttpServer::stop(std::chrono::milliseconds patience) {
  if (!daemon_->daemon) return;
  const MHD_socket listener = MHD_quiesce_daemon(daemon_->daemon);
  daemon_->in_progress.wait_for_none(patience);
  MHD_stop_daemon(daemon_->daemon);
  daemon_->daemon = nullptr;
  if (listener != MHD_INVALID_SOCKET) ::close(listener);
}

}  // namespace kserve
