#include "belfry/distributed/process_group.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "belfry/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/ranks.h"

namespace belfry {
namespace {

using test::in_ranks;
using test::message_of;

std::vector<float> values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kFloat).contiguous().view({-1});
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

TEST(ProcessGroup, OfOneProcessGivesBackWhatItIsGiven) {
  ProcessGroup group;
  EXPECT_EQ(group.world_size(), 1);
  const at::Tensor x = at::arange(4, at::kFloat).view({2, 2});
  EXPECT_TRUE(group.all_reduce(x, ReduceOp::kMean).equal(x));
  EXPECT_TRUE(group.all_gather(x).equal(x));
  EXPECT_TRUE(group.broadcast(x).equal(x));
  EXPECT_TRUE(group.reduce_scatter(x).equal(x));
  EXPECT_EQ(group.all_gather(std::string("a")), std::vector<std::string>{"a"});
  group.barrier();
}

TEST(ProcessGroup, ReducesOverAllRanks) {
  if (!in_ranks(3)) return;
  ProcessGroup& group = process_group();
  ASSERT_EQ(group.world_size(), 3);
  for (const at::ScalarType dtype :
       {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kInt, at::kLong, at::kByte}) {
    const at::Tensor x = at::full({2, 3}, rank() + 1, dtype);
    EXPECT_EQ(values(group.all_reduce(x)), std::vector<float>(6, 6)) << dtype;
    EXPECT_EQ(values(group.all_reduce(x, ReduceOp::kMin)), std::vector<float>(6, 1)) << dtype;
    EXPECT_EQ(values(group.all_reduce(x, ReduceOp::kMax)), std::vector<float>(6, 3)) << dtype;
    if (at::isFloatingType(dtype)) {
      EXPECT_EQ(values(group.all_reduce(x, ReduceOp::kMean)), std::vector<float>(6, 2)) << dtype;
    }
  }
  EXPECT_EQ(group.all_reduce(at::full({0, 3}, 1.0)).numel(), 0);
  EXPECT_EQ(group.all_reduce(at::full({}, 1.0)).item<double>(), 3);
}

TEST(ProcessGroup, ReducesWhatIsNotDense) {
  if (!in_ranks(2)) return;
  const at::Tensor x = at::arange(6, at::kFloat).view({2, 3}).t();
  EXPECT_TRUE(process_group().all_reduce(x).equal(x * 2));
}

TEST(ProcessGroup, GathersWhatHasDifferentLengths) {
  if (!in_ranks(3)) return;
  ProcessGroup& group = process_group();
  const at::Tensor x = at::full({rank(), 2}, rank(), at::kFloat);  // of rank 0 nothing
  const at::Tensor all = group.all_gather(x);
  EXPECT_EQ(all.sizes(), at::IntArrayRef({3, 2}));
  EXPECT_EQ(values(all), (std::vector<float>{1, 1, 2, 2, 2, 2}));
  EXPECT_EQ(group.all_gather(std::string(static_cast<size_t>(rank()), 'x')),
            (std::vector<std::string>{"", "x", "xx"}));
}

TEST(ProcessGroup, BroadcastsFromAnyRank) {
  if (!in_ranks(3)) return;
  ProcessGroup& group = process_group();
  EXPECT_EQ(values(group.broadcast(at::full({2}, rank(), at::kFloat), 2)), (std::vector<float>{2, 2}));
  EXPECT_EQ(group.broadcast("from " + std::to_string(rank()), 1), "from 1");
  EXPECT_THAT(message_of<UsageError>([&] { group.broadcast(at::full({1}, 1), 3); }),
              testing::HasSubstr("a root from 0 to 2"));
}

TEST(ProcessGroup, ScattersWhatItReduces) {
  if (!in_ranks(2)) return;
  const at::Tensor x = at::arange(4, at::kFloat);
  EXPECT_EQ(values(process_group().reduce_scatter(x)),
            rank() == 0 ? (std::vector<float>{0, 2}) : (std::vector<float>{4, 6}));
  EXPECT_THAT(message_of<UsageError>([&] { process_group().reduce_scatter(at::arange(3)); }),
              testing::HasSubstr("that 2 divides, got 3"));
}

TEST(ProcessGroup, RefusesWhatCannotBeReduced) {
  if (!in_ranks(2)) return;
  EXPECT_THAT(message_of<UsageError>([] { process_group().all_reduce(at::full({1}, true, at::kBool)); }),
              testing::HasSubstr("expected numbers"));
  EXPECT_THAT(
      message_of<UsageError>([] { process_group().all_reduce(at::full({1}, 1, at::kInt), ReduceOp::kMean); }),
      testing::HasSubstr("expected floating-point numbers"));
}

TEST(ProcessGroup, CountsItsTraffic) {
  if (!in_ranks(2)) return;
  ProcessGroup& group = process_group();
  const GroupTraffic before = group.traffic();
  group.all_reduce(at::full({1000}, 1.0F));
  EXPECT_EQ(group.traffic().operations - before.operations, 1);
  EXPECT_EQ(group.traffic().bytes - before.bytes, 4000);
  EXPECT_GT(group.traffic().seconds_waited, before.seconds_waited);
}

TEST(ProcessGroup, ComesOnceForAProcess) {
  if (!in_ranks(2)) return;
  init_process_group();
  EXPECT_THROW(init_process_group(), UsageError);
  barrier();
  destroy_process_group();
}

TEST(ProcessGroup, SaysThatOthersDoNotCome) {
  ProcessGroupOptions options{.rank = 0,
                              .world_size = 2,
                              .master_address = "127.0.0.1",
                              .master_port = test::free_port(),
                              .start_timeout = std::chrono::seconds(2)};
  const std::string of_first = message_of<ResourceError>([&] { ProcessGroup group(options); });
  EXPECT_THAT(of_first, testing::HasSubstr("expected 2 processes to meet at 127.0.0.1"));
  options.rank = 1;
  const std::string of_second = message_of<ResourceError>([&] { ProcessGroup group(options); });
  EXPECT_THAT(of_second, testing::HasSubstr("was every rank started"));
}

TEST(ProcessGroup, SaysThatThePortIsTaken) {
  const int port = test::free_port();
  std::jthread first([&] {
    try {
      ProcessGroup group({.rank = 0,
                          .world_size = 2,
                          .master_address = "127.0.0.1",
                          .master_port = port,
                          .start_timeout = std::chrono::seconds(4)});
    } catch (const ResourceError&) {
    }
  });
  std::string problem;
  for (int i = 0; i < 100 && problem.find("free port") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    problem = message_of<ResourceError>([&] {
      ProcessGroup group({.rank = 0,
                          .world_size = 2,
                          .master_address = "127.0.0.1",
                          .master_port = port,
                          .start_timeout = std::chrono::milliseconds(200)});
    });
  }
  EXPECT_THAT(problem, testing::HasSubstr("expected a free port"));
}

TEST(ProcessGroup, RefusesOptionsThatMakeNoSense) {
  EXPECT_THAT(message_of<UsageError>([] { ProcessGroup group({.rank = 1}); }),
              testing::HasSubstr("both .rank and .world_size"));
  EXPECT_THAT(message_of<UsageError>([] { ProcessGroup group({.rank = 2, .world_size = 2}); }),
              testing::HasSubstr("got 2 of 2"));
  EXPECT_THAT(message_of<UsageError>([] { ProcessGroup group({.rank = 0, .world_size = 2}); }),
              testing::HasSubstr("set MASTER_ADDR and MASTER_PORT"));
}

}  // namespace
}  // namespace belfry
