#include "server/http_server.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "belfry/base/error.h"
#include "tests/serve/doubling_model.h"

namespace kserve {
namespace {

using nlohmann::json;
using test::DoublingModel;
using test::row;
using testing::HasSubstr;
using testing::StartsWith;

/// A client that sends bytes as they are.
class Connection {
 public:
  explicit Connection(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server has closed: what it said is to be read
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  /// The head and body of the next response, or what there is when the server closes.
  std::string receive() {
    size_t end = std::string::npos, length = 0;
    char part[4096];
    while (end == std::string::npos || received_.size() < end + length) {
      const ssize_t count = ::recv(socket_, part, sizeof part, 0);
      if (count <= 0) break;
      received_.append(part, static_cast<size_t>(count));
      if (end != std::string::npos || (end = received_.find("\r\n\r\n")) == std::string::npos) continue;
      end += 4;
      const size_t header = received_.find("\r\nContent-Length: ");
      if (header < end) length = std::stoul(received_.substr(header + 18));
    }
    const size_t size =
        end == std::string::npos ? received_.size() : std::min(received_.size(), end + length);
    std::string response = received_.substr(0, size);
    received_.erase(0, size);
    return response;
  }
  bool is_closed(int flags = 0) {
    char byte;
    const ssize_t count = received_.empty() ? ::recv(socket_, &byte, 1, flags) : 1;
    return count == 0 || (count < 0 && errno != EAGAIN);
  }

 private:
  int socket_;
  std::string received_;
};

std::string post(std::string_view body, const std::string& headers = "") {
  return fmt::format("POST /v2/models/double/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n{}",
                     body.size(), headers, body);
}

class HttpServerTest : public testing::Test {
 protected:
  void TearDown() override { model->hold(false); }

  std::string talk(std::string_view bytes) {
    Connection connection(server.port());
    connection.send(bytes);
    return connection.receive();
  }

  std::shared_ptr<DoublingModel> model = std::make_shared<DoublingModel>();
  belfry::BatchingPredictor predictor{model,
                                      {.max_batch = 8, .workers = 2, .inputs = DoublingModel::info().inputs}};
  InferenceService service{DoublingModel::info(), predictor, {.json_bytes = 1000}};
  HttpServer server{service, {.max_body = 10000}};
};

TEST_F(HttpServerTest, OneConnectionCarriesManyRequests) {
  Connection connection(server.port());
  for (int i = 0; i < 5; ++i) {
    connection.send(post(row(i, 1)));
    const std::string response = connection.receive();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(response, HasSubstr(fmt::format("[{}.0,2.0]", 2 * i)));
  }
  connection.send("GET /v2/health/live?verbose=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(connection.receive(), HasSubstr(R"({"live":true})"));
}

TEST_F(HttpServerTest, BinaryTensorsTravelBothWays) {
  const std::string head = R"({"parameters": {"binary_data_output": true}, "inputs": [
      {"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}]})";
  const float values[] = {1, 2}, expected[] = {2, 4};
  const std::string response =
      talk(post(head + std::string(reinterpret_cast<const char*>(values), 8),
                fmt::format("Inference-Header-Content-Length: {}\r\n", head.size())));
  EXPECT_THAT(response, HasSubstr("Inference-Header-Content-Length: "));
  EXPECT_EQ(response.substr(response.size() - 8), std::string(reinterpret_cast<const char*>(expected), 8));
}

TEST_F(HttpServerTest, RefusesBodiesThatItWillNotReadAndClosesTheConnection) {
  const std::pair<const char*, const char*> cases[] = {
      {"Content-Length: 10001", "413"},
      {"Content-Length: 18446744073709551615", "413"},
      {"Transfer-Encoding: chunked", "411"},
      {"Content-Length: 10\r\nContent-Encoding: gzip", "415"}};
  for (const auto& [headers, status] : cases) {
    Connection connection(server.port());
    connection.send(fmt::format("POST /v2/models/double/infer HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n", headers));
    EXPECT_THAT(connection.receive(), StartsWith(fmt::format("HTTP/1.1 {}", status))) << headers;
    EXPECT_TRUE(connection.is_closed()) << headers;
  }
}

TEST_F(HttpServerTest, SurvivesWhatIsNotHttp) {
  for (const std::string& bytes :
       {std::string("\r\n\r\n\r\n"), std::string("nonsense\r\n\r\n"), std::string(100000, 'a'),
        std::string("\0\xff\x16\x03\x01", 5) + "\r\n\r\n",
        "GET /v2 HTTP/1.1\r\n" + std::string(100000, 'h') + ": 1\r\n\r\n",
        std::string("POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")}) {
    Connection connection(server.port());
    connection.send(bytes);
  }
  EXPECT_THAT(talk(post(row(1, 2))), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ManyClientsGetTheirOwnAnswersAmongBadRequests) {
  const std::string bad[] = {post("nonsense"), post(std::string(2000, ' ')), post(row(1000, 1)),
                             post("{}", "Inference-Header-Content-Length: 99\r\n"),
                             "GET /v2/models/other HTTP/1.1\r\nHost: x\r\n\r\n"};
  const char* bad_status[] = {"400", "413", "500", "400", "404"};
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> clients;
  for (int t = 0; t < 6; ++t) {
    clients.emplace_back([&, t] {
      Connection connection(server.port());
      for (int i = 0; i < 39; ++i) {
        const int value = 10 * t + i % 10, k = (t + i) % 5;
        connection.send(post(row(value, 1)));
        wrong +=
            connection.receive().find(fmt::format("\"data\":[{}.0,2.0]", 2 * value)) == std::string::npos;
        connection.send(bad[k]);
        const std::string refused = connection.receive();
        wrong += !refused.starts_with(fmt::format("HTTP/1.1 {}", bad_status[k])) ||
                 refused.find("\"error\":") == std::string::npos;
        Connection(server.port()).send(post(row(value, 1)).substr(0, 10 * static_cast<size_t>(i % 10)));
      }
    });
  }
  clients.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_THAT(talk("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("code=\"200\"} 234\n"));
}

TEST_F(HttpServerTest, RefusesTwoLengthsOfOneBody) {
  const std::string response = talk(
      "POST /v2/models/double/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\ncontent-length: "
      "3\r\n\r\n{}x");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(response, HasSubstr("expected one Content-Length, got several"));
}

/// Clients that send a byte of a header now and then, never a request, and come back when they are closed.
class SlowClients {
 public:
  SlowClients(uint16_t port, int count) {
    for (int i = 0; i < count; ++i) connect(port);
    thread_ = std::jthread([this, port](std::stop_token stop) {
      while (!stop.stop_requested()) {
        for (auto& client : clients_) client->send("x");
        if (clients_.front()->is_closed(MSG_DONTWAIT)) {
          clients_.erase(clients_.begin());
          connect(port);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
  }

 private:
  void connect(uint16_t port) {
    clients_.push_back(std::make_unique<Connection>(port));
    clients_.back()->send("GET /v2 HTTP/1.1\r\nX: ");
  }

  std::vector<std::unique_ptr<Connection>> clients_;
  std::jthread thread_;
};

TEST_F(HttpServerTest, SlowClientsKeepNobodyOut) {
  SlowClients slow(server.port(), 64);
  for (int i = 0; i < 20; ++i)
    ASSERT_THAT(talk(post(row(i, 1))), HasSubstr(fmt::format("[{}.0,2.0]", 2 * i)));
}

TEST_F(HttpServerTest, StoppingAnswersWhatHasBegunAndTakesNothingNew) {
  model->hold();
  Connection connection(server.port());
  connection.send(post(row(1, 2)));
  model->wait_for_call();
  const uint16_t port = server.port();
  std::jthread stops([&] { server.stop(std::chrono::hours(1)); });
  model->hold(false);
  EXPECT_THAT(connection.receive(), HasSubstr("[2.0,4.0]"));
  stops.join();
  EXPECT_THROW(Connection{port}, std::runtime_error);
  server.stop();
}

TEST_F(HttpServerTest, TellsWhyItCannotListen) {
  EXPECT_THROW(HttpServer(service, {.address = "localhost"}), belfry::UsageError);
  EXPECT_THROW(HttpServer(service, {.port = server.port()}), belfry::UsageError);
}

/// A request of 4 MiB, the most that is taken by default, of `piece` again and again.
std::string of_4_mib(const std::string& begin, const std::string& piece, const std::string& end) {
  std::string body = begin;
  while (body.size() + piece.size() + end.size() < (4 << 20)) body += piece;
  return post(body + end);
}

TEST_F(HttpServerTest, LargeRequestsThatAskForTooMuchKeepNobodyOut) {
  InferenceService with_defaults(DoublingModel::info(), predictor, {});
  HttpServer server(with_defaults, {});
  const std::string bad[] = {
      of_4_mib(R"({"x": [{})", ",{}", "]}"),
      of_4_mib(R"({"inputs": [], "outputs": [{"name": "y"})", R"(,{"name": "y"})", "]}"),
      of_4_mib("", "[", ""), of_4_mib(R"({"id": ")", "\\u0001", R"("})")};
  std::atomic<int> refused = 0;
  std::vector<std::jthread> attackers;
  for (const std::string& request : bad) {
    attackers.emplace_back([&] {
      Connection connection(server.port());
      connection.send(request);
      refused += connection.receive().starts_with("HTTP/1.1 400");
    });
  }
  do {
    Connection honest(server.port());
    honest.send(post(row(3, 1)));
    ASSERT_THAT(honest.receive(), HasSubstr("[6.0,2.0]"));
  } while (refused < static_cast<int>(std::size(bad)));
}

}  // namespace
}  // namespace kserve
