#include "belfry/distributed/internal/launch_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "belfry/base/error.h"
#include "tests/support/message_of.h"

namespace belfry::internal {
namespace {

using test::message_of;

using Variables = std::map<std::string, std::string>;

LaunchEnvironment read(const Variables& variables) {
  return read_launch_environment([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(LaunchEnvironment, OfNobodyIsOneProcess) {
  const LaunchEnvironment alone =
      read({{"MASTER_PORT", "29500"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}});
  EXPECT_EQ(alone.world_size, 1);
  EXPECT_EQ(alone.rank, 0);
}

TEST(LaunchEnvironment, OfTorchrun) {
  const LaunchEnvironment here = read({{"RANK", "5"},
                                       {"WORLD_SIZE", "8"},
                                       {"LOCAL_RANK", "1"},
                                       {"MASTER_ADDR", "node0"},
                                       {"MASTER_PORT", "1234"},
                                       {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                       {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_EQ(here.rank, 5);
  EXPECT_EQ(here.world_size, 8);
  EXPECT_EQ(here.local_rank, 1);
  EXPECT_EQ(here.master_address, "node0");
  EXPECT_EQ(here.master_port, 1234);
  EXPECT_TRUE(here.agent_is_master);
  EXPECT_EQ(here.attempt, "2");
}

TEST(LaunchEnvironment, OfOpenMpiOnOneMachineNeedsNoMaster) {
  Variables variables = {{"OMPI_COMM_WORLD_RANK", "1"},
                         {"OMPI_COMM_WORLD_SIZE", "2"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
  const LaunchEnvironment here = read(variables);
  EXPECT_EQ(here.launcher, "Open MPI");
  EXPECT_EQ(here.rank, 1);
  EXPECT_EQ(here.master_address, "127.0.0.1");
  EXPECT_EQ(here.master_port, 29500);
  variables.at("OMPI_COMM_WORLD_LOCAL_SIZE") = std::string("1");
  EXPECT_TRUE(read(variables).master_address.empty());
}

TEST(LaunchEnvironment, OfMpich) {
  const LaunchEnvironment here =
      read({{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}, {"MASTER_ADDR", "a"}});
  EXPECT_EQ(here.rank, 3);
  EXPECT_EQ(here.world_size, 4);
  EXPECT_EQ(here.local_rank, 1);
}

TEST(LaunchEnvironment, OfAStepOfSlurm) {
  const LaunchEnvironment here = read({{"SLURM_PROCID", "9"},
                                       {"SLURM_STEP_NUM_TASKS", "16"},
                                       {"SLURM_LOCALID", "1"},
                                       {"SLURM_STEP_NODELIST", "gpu[03-05,9],login"},
                                       {"SLURM_JOB_ID", "123456"}});
  EXPECT_EQ(here.rank, 9);
  EXPECT_EQ(here.world_size, 16);
  EXPECT_EQ(here.local_rank, 1);
  EXPECT_EQ(here.master_address, "gpu03");
  EXPECT_EQ(here.master_port, 15000 + 3456);
}

TEST(LaunchEnvironment, FindsTheFirstHost) {
  EXPECT_EQ(first_host("node1"), "node1");
  EXPECT_EQ(first_host("node1,node2"), "node1");
  EXPECT_EQ(first_host("node[7,9]"), "node7");
  EXPECT_EQ(first_host("a-[001-128]"), "a-001");
}

TEST(LaunchEnvironment, SaysWhatIsMissing) {
  EXPECT_THAT(message_of<UsageError>([] { read({{"RANK", "1"}}); }), testing::HasSubstr("WORLD_SIZE"));
  EXPECT_THAT(message_of<UsageError>([] {
                read({{"RANK", "one"}, {"WORLD_SIZE", "2"}});
              }),
              testing::HasSubstr("expected a number in RANK, got 'one'"));
}

}  // namespace
}  // namespace belfry::internal
