#pragma once

#include <functional>
#include <optional>
#include <string>

namespace belfry::internal {

/// What the program that started this process says of it and its fellows.
struct LaunchEnvironment {
  std::string launcher = "none";  ///< "torchrun", "Open MPI", "MPICH", "Slurm"
  int rank = 0, world_size = 1, local_rank = 0;
  std::string master_address;  ///< "" where it is not told
  int master_port = 0;         ///< 0 where it is not told
  /// torchrun's agent answers at the master's address, so that no rank has to.
  bool agent_is_master = false;
  /// What keeps the keys of one start apart from those of the one before it.
  std::string attempt;
};

/// The value of a variable of the environment, or none.
using Getenv = std::function<std::optional<std::string>(const std::string& name)>;

/// Asks, in this order, for torchrun's variables (RANK, WORLD_SIZE), Open MPI's, MPICH's and Slurm's; where
/// there are none of these, one process is alone. MASTER_ADDR and MASTER_PORT count with all of them. Throws
/// UsageError for variables that contradict each other or are no numbers, with what to set.
LaunchEnvironment read_launch_environment(const Getenv& getenv);
/// Of this process.
LaunchEnvironment read_launch_environment();

/// The first host of Slurm's short form: "gpu[03-05,9],login" is gpu03.
std::string first_host(const std::string& node_list);

}  // namespace belfry::internal
