// What people start processes with, itself.

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sin.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "belfry/callbacks/model_saver.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/distributed/process_group.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/train/distributed_trainer.h"
#include "belfry/train/launch.h"
#include "tests/support/ranks.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

using testing::HasSubstr;

/// Runs a command line for two minutes at most; its exit code and what it wrote.
std::pair<int, std::string> run(const std::string& command) {
  const test::TempDir folder;
  const std::string output = folder / "output";
  const int status = std::system(fmt::format("timeout 120 {} >{} 2>&1", command, output).c_str());
  std::ostringstream text;
  text << std::ifstream(output).rdbuf();
  return {WEXITSTATUS(status), text.str()};
}

std::string this_test() {
  const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
  return fmt::format("{} --gtest_filter={}.{} --gtest_brief=1",
                     std::filesystem::read_symlink("/proc/self/exe").string(), info->test_suite_name(),
                     info->name());
}

/// torchrun of a Python that can import torch, as a command; "" where there is none.
std::string find_torchrun() {
  const std::string ours = ".env/peers/bin/torchrun";
  if (std::filesystem::exists(ours)) return ours;
  return std::system("python3 -c 'import torch.distributed.run' 2>/dev/null") == 0
             ? "python3 -m torch.distributed.run"
             : "";
}
constexpr const char* kNoTorchrun = "no torchrun in .env/peers (benchmarks/training installs it) or python3";

void expect_three_ranks() {
  EXPECT_EQ(world_size(), 3);
  EXPECT_LT(local_rank(), 3);
  EXPECT_EQ(process_group().all_reduce(at::full({1}, rank(), at::kLong)).item<int64_t>(), 3);
  barrier();
}

TEST(Launchers, Mpirun) {
  if (test::is_rank()) return expect_three_ranks();
  if (std::system("command -v mpirun >/dev/null")) GTEST_SKIP() << "no mpirun";
  const auto [code, output] = run(fmt::format(
      "mpirun --allow-run-as-root --oversubscribe -np 3 -x BELFRY_TEST_RANK=1 -x MASTER_PORT={} {}",
      test::free_port(), this_test()));
  EXPECT_EQ(code, 0) << output;
}

TEST(Launchers, Torchrun) {
  if (test::is_rank()) return expect_three_ranks();
  const std::string torchrun = find_torchrun();
  if (torchrun.empty()) GTEST_SKIP() << kNoTorchrun;
  const auto [code, output] =
      run(fmt::format("env BELFRY_TEST_RANK=1 {} --nproc-per-node 3 --master-port {} --no-python {}",
                      torchrun, test::free_port(), this_test()));
  EXPECT_EQ(code, 0) << output;
}

/// Two network namespaces with a cable between them, and 5 ms of delay where the kernel can.
class TwoHosts {
 public:
  TwoHosts() {
    const std::string setup =
        "set -e; ip netns add {0}a; ip netns add {0}b; ip link add {0}x netns {0}a type veth peer name {0}y "
        "netns {0}b;"
        "ip -n {0}a addr add 10.93.7.1/24 dev {0}x; ip -n {0}b addr add 10.93.7.2/24 dev {0}y;"
        "ip -n {0}a link set {0}x up; ip -n {0}b link set {0}y up; ip -n {0}a link set lo up; ip -n {0}b "
        "link set lo up;"
        "ip netns exec {0}a tc qdisc add dev {0}x root netem delay 5ms || true";
    is_there_ =
        std::system(
            fmt::format("sh -c '{}' >/dev/null 2>&1", fmt::format(fmt::runtime(setup), name_)).c_str()) == 0;
  }
  ~TwoHosts() {
    (void)!std::system(
        fmt::format("sh -c 'ip netns del {0}a; ip netns del {0}b' >/dev/null 2>&1", name_).c_str());
  }
  TwoHosts(const TwoHosts&) = delete;
  TwoHosts& operator=(const TwoHosts&) = delete;

  bool is_there() const { return is_there_; }
  /// Begins a command that runs on one of them.
  std::string on(char host) const {
    return fmt::format("ip netns exec {}{} env GLOO_SOCKET_IFNAME={}{}", name_, host, name_,
                       host == 'a' ? 'x' : 'y');
  }

 private:
  std::string name_ = fmt::format("b{}", getpid() % 100000);
  bool is_there_ = false;
};

TEST(Launchers, ProcessesOnTwoHosts) {
  if (test::is_rank()) {
    EXPECT_EQ(world_size(), 2);
    const at::Tensor x = at::full({1 << 18}, 1.0F);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(process_group().all_reduce(x).eq(2).all().item<bool>());
    barrier();
    return;
  }
  const TwoHosts hosts;
  if (!hosts.is_there()) GTEST_SKIP() << "no network namespaces here";
  const std::string variables = fmt::format(
      "BELFRY_TEST_RANK=1 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=10.93.7.1 MASTER_PORT={}", test::free_port());
  const std::string second = fmt::format("{} {} RANK=1 {}", hosts.on('b'), variables, this_test());
  const std::string first = fmt::format("{} {} RANK=0 {}", hosts.on('a'), variables, this_test());
  const auto [code, output] = run(fmt::format("sh -c '{} & {} && wait $!'", second, first));
  EXPECT_EQ(code, 0) << output;
}

class Line : public ModelDesc {
 public:
  std::vector<TensorSpec> inputs() const override { return {{"x", {kDynamic, 4}, kFloat32}}; }
  Tensor build_graph(const TowerInputs& in) override {
    return mean(square(FullyConnected("fc", in["x"], {.units = 2}) - 1.0), "cost");
  }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 0.01});
  }
};

/// Kills process 1 of the first attempt in the third epoch.
class KillOnce : public Callback {
 public:
  std::string name() const override { return "KillOnce"; }
  bool chief_only() const override { return false; }
  void trigger_step() override {
    const std::string attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
    if (attempt == "0" && rank() == 1 && trainer().global_step() == 25) raise(SIGKILL);
  }
};

TEST(Launchers, TorchrunStartsAgainFromTheLastCheckpoint) {
  if (test::is_rank()) {
    DistributedTrainer trainer;
    const at::Tensor x = at::sin(at::arange(640, at::kFloat)).view({160, 4});
    const TrainConfig config{.model = Line(),
                             .dataflow = BatchData(DataFromTensors({x}), 8),
                             .max_epoch = 4,  // of 10 steps
                             .callbacks = callbacks(ModelSaver(), KillOnce()),
                             .extra_callbacks = Callbacks(),
                             .monitors = std::vector<std::shared_ptr<Monitor>>(),
                             .log_dir = std::getenv("BELFRY_TEST_FOLDER")};
    launch_train_with_config(AutoResumeTrainConfig(config), trainer);
    EXPECT_EQ(trainer.global_step(), 40);
    barrier();
    return;
  }
  const std::string torchrun = find_torchrun();
  if (torchrun.empty()) GTEST_SKIP() << kNoTorchrun;
  const test::TempDir folder;
  const auto [code, output] =
      run(fmt::format("env BELFRY_TEST_RANK=1 BELFRY_TEST_FOLDER={} {} --nproc-per-node 2 --max-restarts 1 "
                      "--master-port {} --no-python {}",
                      folder.path(), torchrun, test::free_port(), this_test()));
  EXPECT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr("Start training with global_step=20"));
  EXPECT_TRUE(std::filesystem::exists(folder / "model-40.index"));
}

}  // namespace
}  // namespace belfry
