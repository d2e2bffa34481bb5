#include "tests/support/ranks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "tests/support/temp_dir.h"

extern char** environ;

namespace belfry::test {
namespace {

constexpr char kIsRank[] = "BELFRY_TEST_RANK";

std::string name_of_test() {
  const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
  return fmt::format("{}.{}", info->test_suite_name(), info->name());
}

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

pid_t start(const std::vector<std::string>& environment, const std::string& output) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable; ++variable) all.emplace_back(*variable);
  all.insert(all.end(), environment.begin(), environment.end());
  std::vector<char*> variables;
  for (std::string& variable : all) variables.push_back(variable.data());
  variables.push_back(nullptr);
  std::string program = "/proc/self/exe", filter = "--gtest_filter=" + name_of_test(),
              brief = "--gtest_brief=1", disabled = "--gtest_also_run_disabled_tests";
  char* const arguments[] = {program.data(), filter.data(), brief.data(), disabled.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments, variables.data());
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

}  // namespace

bool is_rank() {
  return std::getenv(kIsRank) != nullptr;
}

int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  close(listener);
  return ntohs(address.sin_port);
}

std::vector<RankEnd> run_ranks(int count, std::chrono::seconds patience,
                               const std::vector<std::string>& environment) {
  const TempDir folder;
  const int port = free_port();
  std::vector<pid_t> pids;
  const auto begin = std::chrono::steady_clock::now();
  for (int rank = 0; rank < count; ++rank) {
    std::vector<std::string> variables = {fmt::format("{}=1", kIsRank),
                                          fmt::format("RANK={}", rank),
                                          fmt::format("LOCAL_RANK={}", rank),
                                          fmt::format("WORLD_SIZE={}", count),
                                          "MASTER_ADDR=127.0.0.1",
                                          fmt::format("MASTER_PORT={}", port),
                                          "OMP_NUM_THREADS=1"};
    variables.insert(variables.end(), environment.begin(), environment.end());
    pids.push_back(start(variables, folder / std::to_string(rank)));
  }
  std::vector<RankEnd> ends(pids.size());
  size_t left = pids.size();
  bool killed = false;
  while (left > 0) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    if (passed > patience && !std::exchange(killed, true)) {
      for (const pid_t pid : pids) {
        if (pid > 0) kill(pid, SIGKILL);
      }
    }
    for (size_t i = 0; i < pids.size(); ++i) {
      int status = 0;
      if (pids[i] <= 0 || waitpid(pids[i], &status, WNOHANG) != pids[i]) continue;
      ends[i] = {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
                 .output = read(folder / std::to_string(i)),
                 .seconds = passed.count()};
      pids[i] = -1;
      --left;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return ends;
}

bool in_ranks(int count, std::chrono::seconds patience) {
  if (is_rank()) return true;
  const std::vector<RankEnd> ends = run_ranks(count, patience);
  for (size_t i = 0; i < ends.size(); ++i)
    EXPECT_EQ(ends[i].code, 0) << "rank " << i << " wrote:\n" << ends[i].output;
  return false;
}

}  // namespace belfry::test
