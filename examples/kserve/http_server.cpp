#include "http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>

#include "belfry/base/error.h"

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

/// Throws when the request must not send its body.
void check_headers(MHD_Connection* connection, size_t max_body) {
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

struct HttpServer::Daemon {
  Daemon(InferenceService& s, size_t body) : service(s), max_body(body) {}

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
    if (*size == 0) return send(connection, service.handle(request));
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

  static void call_on_end(void*, MHD_Connection*, void** slot, MHD_RequestTerminationCode) {
    delete static_cast<Exchange*>(*slot);
    *slot = nullptr;
  }

  InferenceService& service;
  const size_t max_body;
  InProgress in_progress;
  MHD_Daemon* daemon = nullptr;
};

HttpServer::HttpServer(InferenceService& service, const HttpOptions& options)
    : daemon_(std::make_unique<Daemon>(service, options.max_body)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    throw belfry::UsageError("[HttpServer] expected an IPv4 address, got " + options.address);
  }
  daemon_->daemon = MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC, options.port, nullptr,
      nullptr, &Daemon::call_on_request, daemon_.get(), MHD_OPTION_NOTIFY_COMPLETED, &Daemon::call_on_end,
      nullptr, MHD_OPTION_SOCK_ADDR, reinterpret_cast<sockaddr*>(&address), MHD_OPTION_CONNECTION_LIMIT,
      options.connections, MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(options.timeout.count()),
      MHD_OPTION_END);
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
