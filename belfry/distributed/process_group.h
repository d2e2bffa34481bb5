#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

/// How the values of all processes become one.
enum class ReduceOp { kSum, kMean, kMin, kMax };
/// "sum", "mean", "min", "max".
std::string to_string(ReduceOp op);
/// Throws UsageError for another word.
ReduceOp reduce_op(std::string_view word);

/// How a process finds its fellows. What is not given is read from the environment that torchrun, mpirun
/// (Open MPI, MPICH) or srun makes; a process without one is alone.
struct ProcessGroupOptions {
  std::optional<int> rank = {}, world_size = {}, local_rank = {};
  /// The host of rank 0, and a free port there, which all ranks are told.
  std::string master_address = {};
  int master_port = 0;
  /// How long the processes may take to find each other.
  std::chrono::milliseconds start_timeout = std::chrono::minutes(5);
  /// How long a process waits for another in one operation before it gives up: longer than rank 0 takes to
  /// save a checkpoint.
  std::chrono::milliseconds timeout = std::chrono::minutes(30);
};

/// What went through a group so far.
struct GroupTraffic {
  int64_t operations = 0;
  int64_t bytes = 0;          ///< of the tensors that were given
  double seconds_waited = 0;  ///< that the caller's thread could do nothing else
};

/// The processes of one training, and what they do together, on c10d: Gloo for tensors on the CPU, NCCL for
/// those on GPUs. All processes call the same operations in the same order, with tensors of the same shape,
/// dtype and kind of device, from one thread each.
///
/// An operation throws UsageError for a tensor that it cannot take, and ResourceError where another process
/// has ended, is stuck for longer than the time-out, or the network failed; the group is of no use
/// afterwards.
class ProcessGroup {
 public:
  /// Waits until all processes are there. Throws UsageError for options or an environment that make no sense,
  /// and ResourceError where the others cannot be found in time, or the port is taken.
  explicit ProcessGroup(const ProcessGroupOptions& options = {});
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const;        ///< of this process among all, from 0
  int world_size() const;  ///< how many there are
  int local_rank() const;  ///< among those on this machine: the number of its GPU

  /// Returns when all processes have called it.
  void barrier();
  /// The tensors of all processes, reduced element by element: the same bits everywhere. Takes floating-point
  /// numbers and integers; kMean only the former.
  at::Tensor all_reduce(const at::Tensor& tensor, ReduceOp op = ReduceOp::kSum);
  /// Those of all, one after the other along the first dimension, which may differ.
  at::Tensor all_gather(const at::Tensor& tensor);
  /// That of `root`.
  at::Tensor broadcast(const at::Tensor& tensor, int root = 0);
  /// all_reduce, of which each process gets its part of the first dimension, which the number of processes
  /// must divide.
  at::Tensor reduce_scatter(const at::Tensor& tensor, ReduceOp op = ReduceOp::kSum);

  /// The strings of all processes, by rank.
  std::vector<std::string> all_gather(const std::string& bytes);
  std::string broadcast(const std::string& bytes, int root = 0);

  /// Begins to reduce dense `tensor` in place, and returns at once. The function that it returns waits until
  /// this is done, and must be called; till then nobody reads or writes the tensor.
  std::function<void()> start_all_reduce(const at::Tensor& tensor, ReduceOp op = ReduceOp::kSum);

  GroupTraffic traffic() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Makes the group of this process, once: later calls throw UsageError. Messages of the log name the rank
/// from then on, where there is more than one.
ProcessGroup& init_process_group(const ProcessGroupOptions& options = {});
/// The group of this process; made by the environment where init_process_group was not called.
ProcessGroup& process_group();
/// Ends it, so that a program can end in its own order; every process does so.
void destroy_process_group();

// Of process_group():
int rank();
int world_size();
int local_rank();
void barrier();

}  // namespace belfry
