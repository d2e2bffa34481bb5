#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/callbacks/early_stopping.h"
#include "belfry/callbacks/estimated_time_left.h"
#include "belfry/callbacks/gpu_trackers.h"
#include "belfry/callbacks/host_memory_tracker.h"
#include "belfry/callbacks/send_stat.h"
#include "belfry/callbacks/session_run_timeout.h"
#include "belfry/callbacks/simple_moving_average.h"
#include "belfry/callbacks/start_proc_or_thread.h"
#include "belfry/callbacks/throughput_tracker.h"
#include "tests/support/message_of.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::LogLines;
using test::RecordingMonitor;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct TrackerTest : testing::Test {
  TrainingEnd train(Callbacks callbacks, LoopOptions loop = {.steps_per_epoch = 3, .max_epoch = 2}) {
    return trainer.train({.callbacks = std::move(callbacks), .monitors = {monitor}, .loop = loop});
  }
  double latest(const std::string& tag) { return trainer.monitors().get_latest(tag).value().value; }

  TinyTrainer trainer{{1, 2, 3, 4, 5, 6}};
  std::vector<std::string> lines;
  std::shared_ptr<RecordingMonitor> monitor = std::make_shared<RecordingMonitor>(lines);
};

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(TrackerTest, TheTimeLeftIsThatOfTheEpochsToCome) {
  LogLines log;
  train(callbacks(AtEpochEnd([](Trainer&) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }),
                  EstimatedTimeLeft()),
        {.steps_per_epoch = 1, .max_epoch = 3});
  EXPECT_THAT(log.text(), HasSubstr("Estimated Time Left: 0.0"));
  EXPECT_THROW(EstimatedTimeLeft({.last_k_epochs = 0}), UsageError);
}

TEST_F(TrackerTest, ThroughputLeavesOutWhatCallbacksTakeAfterAnEpoch) {
  const auto slow = AtEpochEnd([](Trainer&) { std::this_thread::sleep_for(std::chrono::milliseconds(300)); });
  train(callbacks(slow, ThroughputTracker(5)));
  EXPECT_GT(latest("Throughput (samples/sec)"), 3 * 5 / 0.3);
  EXPECT_THROW(ThroughputTracker(0), UsageError);
}

TEST_F(TrackerTest, ThroughputIsInStepsWhereSamplesAreNotKnown) {
  train(callbacks(ThroughputTracker()));
  EXPECT_GT(latest("Throughput (steps/sec)"), 0);
}

TEST_F(TrackerTest, FreeMemoryIsWhatTheKernelSays) {
  train(callbacks(HostMemoryTracker()));
  const double gb = latest("HostFreeMemory (GB)");
  EXPECT_GT(gb, 0);
  EXPECT_LT(gb, 1e5);
}

TEST_F(TrackerTest, AnAverageIsThatOfTheWindow) {
  train(callbacks(SimpleMovingAverage({"cost"}, 2)));
  EXPECT_THAT(lines, ElementsAre("cost/SMA=1.5@2", "cost/SMA=3.5@4", "cost/SMA=5.5@6"));
  EXPECT_THROW(SimpleMovingAverage({"cost"}, 0), UsageError);
}

TEST_F(TrackerTest, ACommandGetsTheNewestStatistics) {
  test::TempDir folder;
  const auto put = [](Trainer& t) {
    t.monitors().put_scalar("val-error", 0.25 * static_cast<double>(t.epoch_num()));
    t.monitors().put_scalar("a:b", 7);
  };
  train(callbacks(AtEpochEnd(put), SendStat("echo '{{{val-error:.3f}}} {a:b}' >> " + (folder / "sent"),
                                            {"val-error", "a:b"})));
  EXPECT_EQ(read(folder / "sent"), "{0.250} 7\n{0.500} 7\n");
}

TEST_F(TrackerTest, ACommandThatFailsOrHasNothingToSendIsLogged) {
  LogLines log;
  train(callbacks(SendStat("exit 3", {}), SendStat("echo {missing}", {"missing"})));
  EXPECT_THAT(log.text(), HasSubstr("the command 'exit 3' failed with 3"));
  EXPECT_THAT(log.text(), HasSubstr("there is no value of 'missing'"));
}

TEST_F(TrackerTest, ACommandIsCheckedWhereItIsWritten) {
  EXPECT_THAT(test::message_of<UsageError>([] { SendStat("echo {b}", {"a"}); }), HasSubstr("got '{b}'"));
  EXPECT_THROW(SendStat("echo {a", {"a"}), UsageError);
  EXPECT_THROW(SendMonitorData("echo {a:zz}", {"a"}), UsageError);
}

TEST_F(TrackerTest, AMonitorSendsWhenAllStatisticsAreNew) {
  test::TempDir folder;
  const auto put = [](Trainer& t) {
    t.monitors().put_scalar("a", static_cast<double>(t.epoch_num()));
    if (t.epoch_num() == 2) t.monitors().put_scalar("b", 5);
  };
  const auto sends = std::make_shared<SendMonitorData>("echo {a} {b} >> " + (folder / "sent"),
                                                       std::vector<std::string>{"a", "b"});
  trainer.train({.callbacks = callbacks(AtEpochEnd(put)),
                 .monitors = {sends},
                 .loop = {.steps_per_epoch = 1, .max_epoch = 3}});
  EXPECT_EQ(read(folder / "sent"), "2 5\n");
}

TEST_F(TrackerTest, TrainingStopsWhenAStatisticDoesNotImprove) {
  const double errors[] = {5, 3, 4, NAN, 3, 1};
  const auto put = [&](Trainer& t) { t.monitors().put_scalar("error", errors[t.epoch_num() - 1]); };
  const TrainingEnd end = train(callbacks(AtEpochEnd(put), EarlyStopping("error", {.patience = 3})),
                                {.steps_per_epoch = 1, .max_epoch = 6});
  EXPECT_EQ(trainer.epoch_num(), 5);
  EXPECT_EQ(end.reason, EndReason::kStopTraining);
  EXPECT_THAT(end.message, HasSubstr("'error' has not improved since global_step=2, when it was 3"));
}

TEST_F(TrackerTest, LargerIsBetterWhenReversed) {
  const auto put = [&](Trainer& t) {
    t.monitors().put_scalar("accuracy", static_cast<double>(t.epoch_num()));
  };
  train(callbacks(AtEpochEnd(put), EarlyStopping("accuracy", {.patience = 1, .reverse = true})),
        {.steps_per_epoch = 1, .max_epoch = 4});
  EXPECT_EQ(trainer.epoch_num(), 4);
}

TEST_F(TrackerTest, AStatisticThatNobodyPutsIsNamed) {
  LogLines log;
  train(callbacks(EarlyStopping("nothing")));
  EXPECT_THAT(log.text(), HasSubstr("nobody has put a value of 'nothing'"));
  EXPECT_THROW(EarlyStopping("a", {.patience = 0}), UsageError);
}

TEST_F(TrackerTest, ThreadsRunWhileTrainingDoesAndErrorsAreLogged) {
  LogLines log;
  std::atomic<int> begun = 0, ended = 0;
  const Startable waits = std::function<void(const std::stop_token&)>([&](const std::stop_token& stop) {
    ++begun;
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, stop, [] { return false; });
    ++ended;
  });
  const Startable fails = std::function<void(const std::stop_token&)>(
      [](const std::stop_token&) { throw std::runtime_error("no luck"); });
  train(callbacks(StartProcOrThread({waits, waits, fails})));
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(ended, 2);
  EXPECT_THAT(log.text(), HasSubstr("a thread failed: no luck"));
}

TEST_F(TrackerTest, ProcessesAreEndedAfterTraining) {
  LogLines log;
  const auto start = std::chrono::steady_clock::now();
  train(callbacks(StartProcOrThread({std::vector<std::string>{"sleep", "60"}})));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_THAT(log.text(), HasSubstr("started 'sleep 60' as process"));
}

TEST_F(TrackerTest, AProgramThatIsNotThereEndsTraining) {
  LogLines log;
  EXPECT_THROW(train(callbacks(StartProcOrThread({std::vector<std::string>{"/no/such/program"}}))),
               ResourceError);
  EXPECT_THROW(StartProcOrThread({std::vector<std::string>{}}), UsageError);
}

TEST_F(TrackerTest, AStepThatTakesTooLongEndsTraining) {
  LogLines log;
  struct Slow : Callback {
    std::string name() const override { return "Slow"; }
    std::vector<Tensor> before_run() override {
      if (trainer().global_step() == 2) {
        while (!trainer().stop_requested()) std::this_thread::yield();
      }
      return {};
    }
  };
  EXPECT_THROW(train(callbacks(SessionRunTimeout(std::chrono::milliseconds(200)), Slow())), ResourceError);
  EXPECT_THAT(log.text(), HasSubstr("step 3 has not come to its end within 200 ms"));
  EXPECT_THROW(SessionRunTimeout(std::chrono::milliseconds(0)), UsageError);
}

TEST_F(TrackerTest, StepsInTimeGoOn) {
  EXPECT_EQ(train(callbacks(SessionRunTimeout(std::chrono::minutes(10)))).reason, EndReason::kMaxEpoch);
}

/// A library in the place of NVIDIA's, with two GPUs that work 25 % and 50 % of the time.
class FakeNvml {
 public:
  FakeNvml() {
    std::ofstream(folder_ / "nvml.c") << R"(
      typedef struct { unsigned gpu, memory; } U;
      typedef struct { unsigned long long total, free, used; } M;
      int nvmlInit_v2(void) { return 0; }
      int nvmlShutdown(void) { return 0; }
      const char* nvmlErrorString(int e) { (void)e; return "an error"; }
      int nvmlDeviceGetCount_v2(unsigned* n) { *n = 2; return 0; }
      int nvmlDeviceGetHandleByIndex_v2(unsigned i, void** h) { *h = (void*)(unsigned long)(i + 1); return 0; }
      int nvmlDeviceGetUtilizationRates(void* h, U* u) { u->gpu = 25 * (unsigned)(unsigned long)h; return 0; }
      int nvmlDeviceGetMemoryInfo(void* h, M* m) { m->used = 3000000ull * (unsigned long)h; return 0; }
    )";
    const std::string library = folder_ / "libfake.so";
    const std::string command = test::shell_command(
        {"cc", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", library, folder_ / "nvml.c"});
    if (std::system(command.c_str()) == 0) handle_ = ::dlopen(library.c_str(), RTLD_NOW);
  }
  ~FakeNvml() {
    if (handle_) ::dlclose(handle_);
  }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  test::TempDir folder_;
  void* handle_ = nullptr;
};

TEST_F(TrackerTest, GPUsAreLookedAtThroughNvml) {
  const FakeNvml nvml;  // whoever asks for that library by its name gets the one that is loaded
  ASSERT_TRUE(nvml);
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  train(callbacks(GPUUtilizationTracker(), GPUMemoryTracker({1})), {.steps_per_epoch = 1, .max_epoch = 1});
  EXPECT_THAT(lines, ElementsAre("GPUUtil/0=25@1", "GPUUtil/1=50@1", "PeakMemory(MB)/gpu:1=6@1"));
}

TEST_F(TrackerTest, AGPUThatIsNotThereIsAnError) {
  const FakeNvml nvml;
  ASSERT_TRUE(nvml);
  EXPECT_THROW(train(callbacks(GPUUtilizationTracker(std::vector<int>{2}))), UsageError);
}

TEST_F(TrackerTest, WithoutAGPUTheLogSaysSo) {
  if (::dlopen("libnvidia-ml.so.1", RTLD_NOW)) GTEST_SKIP() << "this machine has NVML";
  LogLines log;
  train(callbacks(GPUUtilizationTracker(), GPUMemoryTracker()));
  EXPECT_THAT(log.text(),
              HasSubstr("[GPUUtilizationTracker] there is nothing to look at: libnvidia-ml.so.1"));
  EXPECT_THAT(lines, IsEmpty());
}

}  // namespace
}  // namespace belfry
