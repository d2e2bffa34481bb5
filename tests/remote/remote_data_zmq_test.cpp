#include "belfry/data/remote/remote_data_zmq.h"

#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <future>
#include <map>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/dataflow/prefetch_data.h"
#include "tests/dataflow/flows.h"
#include "tests/support/python.h"

namespace belfry {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// Long enough for a loaded machine to start Python; only reached when a test fails.
constexpr auto kLong = 300s;

// An address that no other test and no other process uses.
std::string new_address() {
  static int count = 0;
  return fmt::format("ipc://@belfry-test-{}-{}", getpid(), count++);
}

std::string free_tcp_address() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return fmt::format("tcp://127.0.0.1:{}", ntohs(address.sin_port));
}

RemoteDataZMQOptions receiving(RemoteDataZMQOptions options = {}) {
  if (!options.timeout) options.timeout = kLong;
  return options;
}

// send_dataflow_zmq in a thread.
std::future<int64_t> send(AnyDataFlow flow, std::string address,
                          SendDataflowOptions options = {.num_passes = 1}) {
  if (!options.timeout) options.timeout = kLong;
  return std::async(std::launch::async, [=] { return send_dataflow_zmq(flow, address, options); });
}

// Sends frames as they are.
class RawSender {
 public:
  explicit RawSender(const std::string& address)
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_PUSH)) {
    zmq_connect(socket_, address.c_str());
  }
  ~RawSender() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  void send(const std::string& bytes, bool more = false) {
    zmq_send(socket_, bytes.data(), bytes.size(), more ? ZMQ_SNDMORE : 0);
  }

 private:
  void* context_;
  void* socket_;
};

// tests/remote/tensorpack_peer.py, until the object dies.
class TensorpackPeer {
 public:
  explicit TensorpackPeer(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {".env/python/bin/python3", "tests/remote/tensorpack_peer.py"});
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(126);
      execv(words[0], words.data());
      _exit(127);
    }
  }
  ~TensorpackPeer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

TEST(RemoteData, ReceivesWhatIsSentInOrder) {
  for (const std::string& address : {new_address(), free_tcp_address()}) {
    RemoteDataZMQ flow(address, receiving());
    DataIterator pass = flow.iterator();
    auto sent = send(counting(13), address, {.num_passes = 3});
    for (int64_t i = 0; i < 39; ++i) EXPECT_EQ(value(*pass.next()), i % 13);
    EXPECT_EQ(sent.get(), 39);
    EXPECT_EQ(flow.size(), std::nullopt);
    EXPECT_THAT(flow.received(), ElementsAre(39, 0));
  }
}

TEST(RemoteData, EitherSideBinds) {
  const std::string address = new_address();
  auto sent = send(counting(5), address, {.bind = true, .num_passes = 1});
  DataIterator pass = RemoteDataZMQ(address, receiving({.bind = false})).iterator();
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(value(*pass.next()), i);
  EXPECT_EQ(sent.get(), 5);
}

TEST(RemoteData, MergesSendersAtTwoAddresses) {
  const std::string a = new_address(), b = new_address();
  RemoteDataZMQ flow(a, receiving({.addr2 = b}));
  DataIterator pass = flow.iterator();
  auto sent = send(counting(13), a), sent_too = send(counting(13), a), sent_there = send(counting(39), b);
  std::map<int64_t, int> counts;
  for (int i = 0; i < 13 + 13 + 39; ++i) ++counts[value(*pass.next())];
  for (int64_t v = 0; v < 39; ++v) EXPECT_EQ(counts[v], v < 13 ? 3 : 1);
  EXPECT_THAT(flow.received(), ElementsAre(26, 39));
  flow.reset_state();
  EXPECT_THAT(flow.received(), ElementsAre(0, 0));
}

TEST(RemoteData, TheHighWaterMarkHoldsTheSenderBack) {
  const std::string address = new_address();
  std::atomic<int64_t> made = 0;
  MapData source(counting(100), [&](Datapoint) {
    ++made;
    return Datapoint{at::full({1 << 16}, 1.0)};  // larger than the buffers of the system
  });
  DataIterator pass = RemoteDataZMQ(address, receiving({.hwm = 2})).iterator();
  auto sent = send(source, address, {.hwm = 2, .num_passes = 1});
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(pass.next());
    EXPECT_LE(made, i + 30);
  }
  EXPECT_EQ(sent.get(), 100);
}

TEST(RemoteData, APassFreesItsAddress) {
  const std::string address = free_tcp_address();
  RemoteDataZMQ flow(address, receiving());
  for (int64_t i = 0; i < 5; ++i) {
    DataIterator pass = flow.iterator();
    auto sent = send(counting(3), address);
    EXPECT_EQ(value(*pass.next()), 0);
    EXPECT_EQ(pass.position(), (DataPosition{.pass = i, .index = 1}));
    sent.get();
  }
  DataIterator pass = flow.iterator();
  EXPECT_THAT([&] { flow.iterator(); },
              ThrowsMessage<UsageError>(
                  AllOf(HasSubstr("[RemoteDataZMQ] cannot bind \"" + address), HasSubstr("already in use"))));
}

TEST(RemoteData, APeerThatIsNotThereIsAnErrorAfterTheTimeout) {
  const std::string address = new_address();
  DataIterator pass = RemoteDataZMQ(address, {.timeout = 30ms}).iterator();
  EXPECT_THAT([&] { pass.next(); },
              ThrowsMessage<DataError>(HasSubstr("expected a datapoint within 30 ms at " + address)));
  EXPECT_THAT([&] { send_dataflow_zmq(counting(3), new_address(), {.bind = true, .timeout = 30ms}); },
              ThrowsMessage<Error>(HasSubstr("to take datapoint 0 within 30 ms")));
}

TEST(RemoteData, WaitingEndsWhenAStopIsRequested) {
  std::stop_source stop;
  RemoteDataZMQ flow(new_address(), {.stop = stop.get_token()});
  {
    DataIterator pass = PrefetchData(flow, 2).iterator();
    auto waiting = std::async(std::launch::async, [&] { return pass.next(); });
    stop.request_stop();
    EXPECT_FALSE(waiting.get());
  }
  auto sent = send(counting(3), new_address(), {.bind = true, .num_passes = 1, .stop = stop.get_token()});
  EXPECT_EQ(sent.get(), 0);
}

TEST(RemoteData, ASenderEndsWithAnEmptyFlowAndPassesErrorsOn) {
  const std::string address = new_address();
  DataIterator pass = RemoteDataZMQ(address, receiving()).iterator();
  EXPECT_EQ(send_dataflow_zmq(counting(0), address), 0);
  EXPECT_THAT([&] { send_dataflow_zmq(MapData(counting(3), fail_at(1)), address); },
              ThrowsMessage<Error>("[MapData] datapoint 1: cannot read 1"));
}

TEST(RemoteData, BytesThatAreNoDatapointAreErrorsThatSayWhere) {
  const std::string bad[] = {"", "x", "\x91", std::string("\xdd\xff\xff\xff\xff", 5),
                             "GET / HTTP/1.1\r\n\r\n"};
  for (const std::string& bytes : bad) {
    const std::string address = new_address();
    DataIterator pass = RemoteDataZMQ(address, receiving()).iterator();
    RawSender(address).send(bytes);
    EXPECT_THAT([&] { pass.next(); }, ThrowsMessage<DataError>(HasSubstr("message 0 at " + address)))
        << bytes;
  }
  const std::string address = new_address();
  DataIterator pass = RemoteDataZMQ(address, receiving()).iterator();
  RawSender sender(address);
  sender.send("\x90", /*more=*/true);
  sender.send("\x90");
  EXPECT_THAT([&] { pass.next(); }, ThrowsMessage<DataError>(HasSubstr("expected one frame, got several")));
}

TEST(RemoteData, AMessageThatIsTooLargeIsNotReceived) {
  const std::string address = new_address();
  DataIterator pass = RemoteDataZMQ(address, receiving({.max_message_bytes = 1000})).iterator();
  RawSender large(address);
  large.send(std::string(1001, '\x90'));
  auto sent = send(counting(1), address);
  EXPECT_EQ(value(*pass.next()), 0);
}

TEST(RemoteData, BadArgumentsAreErrors) {
  EXPECT_THROW(RemoteDataZMQ(""), UsageError);
  EXPECT_THROW(RemoteDataZMQ("ipc://@x", {.hwm = 0}), UsageError);
  EXPECT_THROW(RemoteDataZMQ("ipc://@x", {.max_message_bytes = 0}), UsageError);
  EXPECT_THAT([] { RemoteDataZMQ("nonsense").iterator(); },
              ThrowsMessage<UsageError>(HasSubstr("cannot bind \"nonsense\"")));
  EXPECT_THROW(send_dataflow_zmq(counting(1), ""), UsageError);
  EXPECT_THROW(send_dataflow_zmq(counting(1), "nonsense"), UsageError);
  EXPECT_THROW(send_dataflow_zmq(counting(1), "ipc://@x", {.hwm = 0}), UsageError);
  EXPECT_THROW(send_dataflow_zmq(counting(1), "ipc://@x", {.num_passes = 0}), UsageError);
}

TEST(RemoteData, TensorpackReceivesWhatWeSendAndSendsWhatWeReceive) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const std::string there = new_address(), back = new_address();
  const at::Tensor image = at::arange(24, at::kByte).view({2, 4, 3});
  MapData source(counting(39), [&](Datapoint dp) {
    return Datapoint{at::add(image, value(dp)).to(at::kByte), dp[0], dp[0].to(at::kFloat).expand({2})};
  });
  DataIterator pass = RemoteDataZMQ(back, receiving()).iterator();
  auto sent = send(source, there, {.bind = true, .num_passes = 1});
  TensorpackPeer peer({"echo", there, back});
  for (Datapoint& dp : source.iterator()) {
    const Datapoint got = *pass.next();
    ASSERT_EQ(got.size(), dp.size());
    for (size_t c = 0; c < dp.size(); ++c) {
      EXPECT_EQ(got[c].scalar_type(), dp[c].scalar_type());
      EXPECT_TRUE(at::equal(got[c], at::add(dp[c], 1)));
    }
  }
}

TEST(RemoteData, TensorpacksDefaultSerialisationIsUnderstood) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  const std::string address = new_address();
  DataIterator pass = RemoteDataZMQ(address, receiving()).iterator();
  TensorpackPeer peer({"send", address});
  for (int64_t i = 0; i < 13; ++i) {
    const Datapoint got = *pass.next();
    EXPECT_TRUE(at::equal(got.at(0), at::full({2, 3}, i % 5, at::kFloat)));
    EXPECT_EQ(got.at(1).item<int64_t>(), i % 5);
    EXPECT_EQ(text_of(got.at(2)).size(), 4u);
  }
}

}  // namespace
}  // namespace belfry
