#include "belfry/distributed/internal/launch_environment.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "belfry/base/error.h"

// The variables that launchers set, by their own pages: torchrun (docs.pytorch.org, "Environment Variables"),
// Open MPI 4 (OMPI_COMM_WORLD_*), MPICH's Hydra (PMI_*, MPI_LOCALRANKID) and Slurm's srun (SLURM_PROCID and
// the SLURM_STEP_* variables, which only a step that srun started has: a plain program in a batch script is
// alone, whatever SLURM_NTASKS says).

namespace belfry::internal {
namespace {

constexpr int kDefaultPort = 29500;  // torchrun's

class Reader {
 public:
  explicit Reader(const Getenv& getenv) : getenv_(getenv) {}

  std::optional<std::string> text(const std::string& name) const {
    auto value = getenv_(name);
    return value && !value->empty() ? value : std::nullopt;
  }

  std::optional<int> number(const std::string& name) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    int result = 0;
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, result);
    if (error != std::errc() || stop != end || result < 0)
      throw UsageError(fmt::format("[ProcessGroup] expected a number in {}, got '{}'", name, *value));
    return result;
  }

  int required(const std::string& name, const std::string& other) const {
    if (const auto value = number(name)) return *value;
    throw UsageError(fmt::format(
        "[ProcessGroup] expected {} in the environment beside {}, got none: start with torchrun, mpirun or "
        "srun, which set both, or set all of RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT",
        name, other));
  }

 private:
  const Getenv& getenv_;
};

void read_torchrun(const Reader& reader, LaunchEnvironment& result) {
  result.launcher = "torchrun";
  result.rank = reader.required("RANK", "WORLD_SIZE");
  result.world_size = reader.required("WORLD_SIZE", "RANK");
  result.local_rank = reader.number("LOCAL_RANK").value_or(result.rank);
  result.agent_is_master = reader.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  result.attempt = reader.text("TORCHELASTIC_RESTART_COUNT").value_or("0");
}

void read_mpi(const Reader& reader, LaunchEnvironment& result, const std::string& launcher,
              const std::string& rank, const std::string& size, const std::string& local_rank,
              const std::string& local_size) {
  result.launcher = launcher;
  result.rank = reader.required(rank, size);
  result.world_size = reader.required(size, rank);
  result.local_rank = reader.number(local_rank).value_or(result.rank);
  if (reader.number(local_size) == result.world_size) result.master_address = "127.0.0.1";
}

void read_slurm(const Reader& reader, LaunchEnvironment& result) {
  result.launcher = "Slurm";
  result.rank = reader.required("SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
  result.world_size = reader.required("SLURM_STEP_NUM_TASKS", "SLURM_PROCID");
  result.local_rank = reader.number("SLURM_LOCALID").value_or(result.rank);
  if (const auto nodes = reader.text("SLURM_STEP_NODELIST")) result.master_address = first_host(*nodes);
  // Jobs that share a machine get ports of their own.
  if (const auto job = reader.number("SLURM_JOB_ID")) result.master_port = 15000 + *job % 10000;
}

}  // namespace

std::string first_host(const std::string& node_list) {
  const size_t comma = node_list.find(','), bracket = node_list.find('[');
  if (bracket == std::string::npos || comma < bracket) return node_list.substr(0, comma);
  const size_t end = node_list.find_first_of(",-]", bracket);
  return node_list.substr(0, bracket) + node_list.substr(bracket + 1, end - bracket - 1);
}

LaunchEnvironment read_launch_environment(const Getenv& getenv) {
  const Reader reader(getenv);
  LaunchEnvironment result;
  if (reader.text("RANK") || reader.text("WORLD_SIZE")) {
    read_torchrun(reader, result);
  } else if (reader.text("OMPI_COMM_WORLD_SIZE")) {
    read_mpi(reader, result, "Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
             "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE");
  } else if (reader.text("PMI_SIZE")) {
    read_mpi(reader, result, "MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS");
  } else if (reader.text("SLURM_STEP_NUM_TASKS")) {
    read_slurm(reader, result);
  } else {
    return result;
  }
  if (const auto address = reader.text("MASTER_ADDR")) result.master_address = *address;
  if (const auto port = reader.number("MASTER_PORT")) result.master_port = *port;
  if (result.master_port == 0) result.master_port = kDefaultPort;
  return result;
}

LaunchEnvironment read_launch_environment() {
  return read_launch_environment([](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
}

}  // namespace belfry::internal
