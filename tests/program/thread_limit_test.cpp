// How many threads are used beside other programs, by what these use of the processors.

#include <gtest/gtest.h>

#include "belfry/program/adapt_to_load.h"
#include "belfry/program/in_parallel.h"

namespace belfry::internal {
namespace {

/// So often looked at, with others using that many processors.
void look(ThreadLimit& limit, int times, int wanted, double processors, double others) {
  for (int i = 0; i < times; ++i) limit.look(wanted, processors, others);
}

TEST(ThreadLimit, LeavesAThreadWhereAnotherProgramTakesAProcessor) {
  ThreadLimit limit;
  EXPECT_EQ(limit.threads(2), 2);
  look(limit, 10, 2, 2, 0.1);
  EXPECT_EQ(limit.threads(2), 2);
  look(limit, 1, 2, 2, 1);
  EXPECT_EQ(limit.threads(2), 2) << "half a second may be chance";
  look(limit, 3, 2, 2, 1);
  EXPECT_EQ(limit.threads(2), 1);
  look(limit, 20, 2, 2, 1.3);
  EXPECT_EQ(limit.threads(2), 1);
}

TEST(ThreadLimit, TakesItBackWhenTheOtherHasBeenGoneForAWhile) {
  ThreadLimit limit;
  look(limit, 8, 2, 2, 1);
  look(limit, 4, 2, 2, 0);
  EXPECT_EQ(limit.threads(2), 1);
  look(limit, 5, 2, 2, 0);
  EXPECT_EQ(limit.threads(2), 2);
}

TEST(ThreadLimit, HalvesAsOftenAsNeeded) {
  ThreadLimit limit;
  look(limit, 8, 16, 16, 2);
  EXPECT_EQ(limit.threads(16), 16) << "14 of 16 are left";
  look(limit, 8, 16, 16, 7);
  EXPECT_EQ(limit.threads(16), 8);
  look(limit, 8, 16, 16, 15);
  EXPECT_EQ(limit.threads(16), 1);
  look(limit, 40, 16, 16, 0);
  EXPECT_EQ(limit.threads(16), 16);
}

/// As others' use falls where our threads are fewer, a limit must not swing back at once.
TEST(ThreadLimit, StaysWhereOthersTakeWhatIsLeft) {
  ThreadLimit limit;
  for (int i = 0; i < 100; ++i) {
    const double others = limit.threads(2) == 2 ? 0.67 : 1;
    limit.look(2, 2, others);
    if (i > 10) {
      EXPECT_EQ(limit.threads(2), 1) << i;
    }
  }
}

TEST(ThreadLimit, LeavesOthersTheThreadsThatOneDoesNotWant) {
  ThreadLimit limit;
  look(limit, 10, 2, 16, 0);
  EXPECT_EQ(limit.threads(8), 8);
}

TEST(ThreadLimit, GivesNoMoreThanAreWanted) {
  ThreadLimit limit;
  look(limit, 40, 3, 16, 0);
  EXPECT_EQ(limit.threads(3), 3);
  EXPECT_EQ(limit.threads(1), 1);
  EXPECT_EQ(threads_worth_using(1), 1);
  EXPECT_GE(threads_worth_using(4), 1);
  EXPECT_LE(threads_worth_using(4), 4);
}

TEST(Threads, AreThoseOfTheScope) {
  const int before = thread_count();
  {
    const Threads one(1);
    EXPECT_EQ(thread_count(), 1);
  }
  EXPECT_EQ(thread_count(), before);
}

}  // namespace
}  // namespace belfry::internal
