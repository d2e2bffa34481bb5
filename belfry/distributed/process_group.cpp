#include "belfry/distributed/process_group.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Flags.h>
#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/log_prefix.h"
#include "belfry/distributed/internal/backend.h"
#include "belfry/distributed/internal/launch_environment.h"

// c10d does the work: a TCPStore is where the processes meet, a backend for each kind of device moves
// tensors. What is here: who this process is, c10d's errors in words that say what to do, and shapes that may
// differ. Invariant: each rank calls the backends in the same order, as they tell messages apart by counting
// them.

namespace belfry {

using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

c10d::ReduceOp to_c10d(ReduceOp op) {
  switch (op) {
    case ReduceOp::kMin:
      return c10d::ReduceOp::MIN;
    case ReduceOp::kMax:
      return c10d::ReduceOp::MAX;
    default:
      return c10d::ReduceOp::SUM;
  }
}

std::string seconds(std::chrono::milliseconds time) {
  return fmt::format("{:.6g} s", static_cast<double>(time.count()) / 1000);
}

bool says(const std::string& message, std::initializer_list<const char*> words) {
  return std::ranges::any_of(words,
                             [&](const char* word) { return message.find(word) != std::string::npos; });
}

/// The first line of what c10d says, without its backtrace.
std::string first_line(const std::string& message) {
  return message.substr(0, message.find('\n'));
}

internal::LaunchEnvironment resolve(const ProcessGroupOptions& options) {
  internal::LaunchEnvironment launch;
  if (options.rank && options.world_size) {
    launch = {.launcher = "options", .rank = *options.rank, .world_size = *options.world_size};
    launch.local_rank = launch.rank;
  } else if (options.rank || options.world_size) {
    throw UsageError("[ProcessGroup] expected both .rank and .world_size, or neither, got one of them");
  } else {
    launch = internal::read_launch_environment();
  }
  if (options.local_rank) launch.local_rank = *options.local_rank;
  if (!options.master_address.empty()) launch.master_address = options.master_address;
  if (options.master_port != 0) launch.master_port = options.master_port;
  if (launch.world_size < 1 || launch.rank < 0 || launch.rank >= launch.world_size) {
    throw UsageError(fmt::format("[ProcessGroup] expected a rank from 0 to world_size - 1, got {} of {}",
                                 launch.rank, launch.world_size));
  }
  if (launch.local_rank < 0)
    throw UsageError(fmt::format("[ProcessGroup] expected local_rank >= 0, got {}", launch.local_rank));
  if (launch.world_size == 1) return launch;
  if (launch.master_address.empty() || launch.master_port <= 0 || launch.master_port > 65535) {
    throw UsageError(fmt::format(
        "[ProcessGroup rank {} of {}, started by {}] expected the host of rank 0 and a free port there, got "
        "'{}' and {}: set MASTER_ADDR and MASTER_PORT in every process (mpirun -x MASTER_ADDR=HOST -x "
        "MASTER_PORT=29500), or .master_address and .master_port",
        launch.rank, launch.world_size, launch.launcher, launch.master_address, launch.master_port));
  }
  return launch;
}

}  // namespace

std::string to_string(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
      return "sum";
    case ReduceOp::kMean:
      return "mean";
    case ReduceOp::kMin:
      return "min";
    case ReduceOp::kMax:
      return "max";
  }
  return "unknown";
}

ReduceOp reduce_op(std::string_view word) {
  for (const ReduceOp op : {ReduceOp::kSum, ReduceOp::kMean, ReduceOp::kMin, ReduceOp::kMax}) {
    if (to_string(op) == word) return op;
  }
  throw UsageError(fmt::format("[reduce] expected sum, mean, min or max, got '{}'", word));
}

struct ProcessGroup::State {
  internal::LaunchEnvironment launch;
  ProcessGroupOptions options;
  internal::StorePointer store;
  internal::BackendPointer gloo, nccl;
  std::string failure;  ///< of an operation before; "" while there was none
  GroupTraffic traffic;

  std::string who() const {
    return fmt::format("[ProcessGroup rank {} of {}]", launch.rank, launch.world_size);
  }

  /// c10d writes its problems to stderr besides throwing them; ours go to the log.
  static void keep_c10d_quiet() {
    static std::once_flag once;
    std::call_once(once, [] {
      if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
    });
  }

  void connect() {
    keep_c10d_quiet();
    const auto start = Clock::now();
    const bool is_server = launch.rank == 0 && !launch.agent_is_master;
    try {
      c10d::TCPStoreOptions tcp;
      tcp.port = static_cast<uint16_t>(launch.master_port);
      tcp.isServer = is_server;
      tcp.timeout = options.start_timeout;
      tcp.waitWorkers = !launch.agent_is_master;
      if (!launch.agent_is_master) tcp.numWorkers = static_cast<size_t>(launch.world_size);
      const auto tcp_store = c10::make_intrusive<c10d::TCPStore>(launch.master_address, tcp);
      store = c10::make_intrusive<c10d::PrefixStore>("belfry/" + launch.attempt, tcp_store);
      store->setTimeout(options.start_timeout);
      gloo = internal::make_gloo_backend(c10::make_intrusive<c10d::PrefixStore>("gloo", store), launch.rank,
                                         launch.world_size, options.timeout);
    } catch (const std::exception& e) {
      throw ResourceError(fmt::format("{} {}", who(), explain_start(e.what(), is_server, start)));
    }
  }

  std::string explain_start(const std::string& problem, bool is_server, Clock::time_point start) const {
    const std::string place = fmt::format("{}:{}", launch.master_address, launch.master_port);
    if (is_server && says(problem, {"EADDRINUSE", "already in use", "failed to listen"})) {
      return fmt::format(
          "expected a free port, got {} of this machine, which another program has: set MASTER_PORT to "
          "another "
          "one in every process ({})",
          launch.master_port, first_line(problem));
    }
    return fmt::format(
        "expected {} processes to meet at {} (MASTER_ADDR, MASTER_PORT) within {}, got no answer from all of "
        "them "
        "after {:.1f} s: was every rank started, and does the network let them reach that port? ({})",
        launch.world_size, place, seconds(options.start_timeout), seconds_since(start), first_line(problem));
  }

  c10d::Backend& backend_for(const at::Tensor& tensor) {
    if (tensor.is_cpu()) return *gloo;
    if (!nccl) {
      nccl = internal::make_nccl_backend(c10::make_intrusive<c10d::PrefixStore>("nccl", store), launch.rank,
                                         launch.world_size, options.timeout);
    }
    return *nccl;
  }

  [[noreturn]] void fail(const char* operation, const std::string& problem) {
    const char* reason = says(problem, {"Timed out", "timed out", "Timeout", "timeout"})
                             ? "waited longer than the time-out for another process, which is stuck, or has "
                               "not called the same operations"
                             : "lost another process, which has ended, or the network";
    failure = fmt::format("{} {} {}: see the logs of the other ranks ({})", who(), operation, reason,
                          first_line(problem));
    throw ResourceError(failure);
  }

  /// Calls what begins or ends an operation of c10d; counts the time.
  template <typename Call>
  auto guarded(const char* operation, Call call) {
    if (!failure.empty()) throw ResourceError(failure);
    const struct Count {
      GroupTraffic& traffic;
      Clock::time_point start = Clock::now();
      ~Count() { traffic.seconds_waited += seconds_since(start); }
    } count{traffic};
    try {
      const at::NoGradGuard no_grad;
      return call();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& e) {
      fail(operation, e.what());
    }
  }

  template <typename Begin>
  void run(const char* operation, const at::Tensor& tensor, Begin begin) {
    ++traffic.operations;
    traffic.bytes += static_cast<int64_t>(tensor.nbytes());
    guarded(operation, [&] {
      c10::intrusive_ptr<c10d::Work> work = begin(backend_for(tensor));
      work->wait();
    });
  }

  void check_reducible(const char* operation, const at::Tensor& tensor, ReduceOp op) const {
    const at::ScalarType dtype = tensor.scalar_type();
    if (at::isComplexType(dtype) || dtype == at::kBool ||
        (op == ReduceOp::kMean && !at::isFloatingType(dtype))) {
      throw UsageError(fmt::format("{} {} expected {}, got {} of {}", who(), operation,
                                   op == ReduceOp::kMean ? "floating-point numbers" : "numbers",
                                   to_string(op), c10::toString(dtype)));
    }
  }

  /// Those of all ranks, whose shapes are the same.
  std::vector<at::Tensor> gather_same(const at::Tensor& tensor) {
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (int i = 0; i < launch.world_size; ++i) outputs[0].push_back(at::empty_like(tensor));
    std::vector<at::Tensor> inputs = {tensor};
    run("all_gather", tensor, [&](c10d::Backend& backend) { return backend.allgather(outputs, inputs); });
    return outputs[0];
  }
};

ProcessGroup::ProcessGroup(const ProcessGroupOptions& options) : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->launch = resolve(options);
  if (world_size() > 1) state_->connect();
}
ProcessGroup::~ProcessGroup() = default;

int ProcessGroup::rank() const {
  return state_->launch.rank;
}
int ProcessGroup::world_size() const {
  return state_->launch.world_size;
}
int ProcessGroup::local_rank() const {
  return state_->launch.local_rank;
}
GroupTraffic ProcessGroup::traffic() const {
  return state_->traffic;
}

void ProcessGroup::barrier() {
  all_reduce(at::zeros({1}, at::kInt));
}

at::Tensor ProcessGroup::all_reduce(const at::Tensor& tensor, ReduceOp op) {
  at::Tensor result = tensor.detach().clone(at::MemoryFormat::Contiguous);
  start_all_reduce(result, op)();
  return result;
}

std::function<void()> ProcessGroup::start_all_reduce(const at::Tensor& tensor, ReduceOp op) {
  State& state = *state_;
  state.check_reducible("all_reduce", tensor, op);
  if (world_size() == 1 || tensor.numel() == 0) return [] {};
  ++state.traffic.operations;
  state.traffic.bytes += static_cast<int64_t>(tensor.nbytes());
  std::vector<at::Tensor> tensors = {tensor.view({-1})};
  c10::intrusive_ptr<c10d::Work> work = state.guarded("all_reduce", [&] {
    c10d::AllreduceOptions all;
    all.reduceOp = to_c10d(op);
    return state.backend_for(tensor).allreduce(tensors, all);
  });
  return [&state, op, work = std::move(work), tensor = tensors[0]]() mutable {
    state.guarded("all_reduce", [&] {
      work->wait();
      if (op == ReduceOp::kMean) tensor.div_(state.launch.world_size);
    });
  };
}

at::Tensor ProcessGroup::all_gather(const at::Tensor& tensor) {
  if (tensor.dim() == 0)
    throw UsageError(fmt::format("{} all_gather expected a first dimension, got a scalar", state_->who()));
  if (world_size() == 1) return tensor.detach().clone(at::MemoryFormat::Contiguous);
  const at::Tensor given = tensor.detach().contiguous();
  const at::Tensor size = at::full({1}, given.size(0), at::TensorOptions(at::kLong).device(given.device()));
  std::vector<int64_t> sizes;
  for (const at::Tensor& of_rank : state_->gather_same(size)) sizes.push_back(of_rank.item<int64_t>());
  const int64_t most = *std::ranges::max_element(sizes);
  at::Tensor padded = given;
  if (given.size(0) < most) {
    std::vector<int64_t> shape = given.sizes().vec();
    shape[0] = most;
    padded = at::zeros(shape, given.options());
    padded.narrow(0, 0, given.size(0)).copy_(given);
  }
  if (padded.numel() == 0) return padded;
  std::vector<at::Tensor> parts = state_->gather_same(padded);
  for (size_t i = 0; i < parts.size(); ++i) parts[i] = parts[i].narrow(0, 0, sizes[i]);
  return at::cat(parts);
}

at::Tensor ProcessGroup::broadcast(const at::Tensor& tensor, int root) {
  if (root < 0 || root >= world_size()) {
    throw UsageError(fmt::format("{} broadcast expected a root from 0 to {}, got {}", state_->who(),
                                 world_size() - 1, root));
  }
  std::vector<at::Tensor> tensors = {tensor.detach().clone(at::MemoryFormat::Contiguous)};
  if (world_size() == 1 || tensor.numel() == 0) return tensors[0];
  state_->run("broadcast", tensor, [&](c10d::Backend& backend) {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    return backend.broadcast(tensors, options);
  });
  return tensors[0];
}

at::Tensor ProcessGroup::reduce_scatter(const at::Tensor& tensor, ReduceOp op) {
  const int64_t size = world_size();
  if (tensor.dim() == 0 || tensor.size(0) % size != 0) {
    throw UsageError(fmt::format("{} reduce_scatter expected a first dimension that {} divides, got {}",
                                 state_->who(), size,
                                 tensor.dim() == 0 ? "a scalar" : std::to_string(tensor.size(0))));
  }
  // Gloo has no reduce_scatter of its own kind for all dtypes; the sum of all, and a part of it, is one.
  const int64_t part = tensor.size(0) / size;
  return all_reduce(tensor, op).narrow(0, rank() * part, part).clone();
}

std::vector<std::string> ProcessGroup::all_gather(const std::string& bytes) {
  if (world_size() == 1) return {bytes};
  const auto size = static_cast<int64_t>(bytes.size());
  std::vector<int64_t> sizes;
  for (const at::Tensor& of_rank : state_->gather_same(at::full({1}, size, at::kLong)))
    sizes.push_back(of_rank.item<int64_t>());
  const int64_t most = *std::ranges::max_element(sizes);
  std::vector<std::string> result(sizes.size());
  if (most == 0) return result;
  const at::Tensor padded = at::zeros({most}, at::kByte);
  std::memcpy(padded.data_ptr(), bytes.data(), bytes.size());
  const std::vector<at::Tensor> parts = state_->gather_same(padded);
  for (size_t i = 0; i < parts.size(); ++i) {
    result[i].assign(static_cast<const char*>(parts[i].const_data_ptr()), static_cast<size_t>(sizes[i]));
  }
  return result;
}

std::string ProcessGroup::broadcast(const std::string& bytes, int root) {
  if (world_size() == 1) return bytes;
  const int64_t size =
      broadcast(at::full({1}, static_cast<int64_t>(bytes.size()), at::kLong), root).item<int64_t>();
  at::Tensor buffer = at::zeros({size}, at::kByte);
  if (rank() == root) std::memcpy(buffer.data_ptr(), bytes.data(), bytes.size());
  buffer = broadcast(buffer, root);
  return {static_cast<const char*>(buffer.const_data_ptr()), static_cast<size_t>(size)};
}

namespace {

struct DefaultGroup {
  std::mutex mutex;
  std::unique_ptr<ProcessGroup> group;

  // Never destroyed: the end of a process closes its connections at once, while the end of a group waits for
  // what is under way, which other processes may be waiting for too.
  static DefaultGroup& get() {
    static DefaultGroup* group = new DefaultGroup;
    return *group;
  }

  ProcessGroup& make(const ProcessGroupOptions& options) {
    group = std::make_unique<ProcessGroup>(options);
    if (group->world_size() > 1) set_log_prefix(fmt::format("[rank {}] ", group->rank()));
    return *group;
  }
};

}  // namespace

ProcessGroup& init_process_group(const ProcessGroupOptions& options) {
  DefaultGroup& holder = DefaultGroup::get();
  const std::lock_guard lock(holder.mutex);
  if (holder.group)
    throw UsageError("[init_process_group] expected no group yet, got one: it is made once, before use");
  return holder.make(options);
}

ProcessGroup& process_group() {
  DefaultGroup& holder = DefaultGroup::get();
  const std::lock_guard lock(holder.mutex);
  return holder.group ? *holder.group : holder.make({});
}

void destroy_process_group() {
  DefaultGroup& holder = DefaultGroup::get();
  const std::lock_guard lock(holder.mutex);
  holder.group.reset();
  set_log_prefix("");
}

int rank() {
  return process_group().rank();
}
int world_size() {
  return process_group().world_size();
}
int local_rank() {
  return process_group().local_rank();
}
void barrier() {
  process_group().barrier();
}

}  // namespace belfry
