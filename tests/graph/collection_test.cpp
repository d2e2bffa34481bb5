#include "belfry/graph/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CollectionTest : public testing::Test {
 protected:
  CollectionTest() {
    set_log_sink([this](LogLevel, std::string_view message) { log.emplace_back(message); });
    graph.add_to_collection("a", one);
  }
  ~CollectionTest() override { set_log_sink({}); }

  Graph graph;
  GraphScope as_default{graph};
  const Tensor one = constant(1), two = constant(2);
  std::vector<std::string> log;
};

TEST_F(CollectionTest, ABackupBringsBackWhatWasThere) {
  const CollectionBackup all = backup_collection(), some = backup_collection(std::vector<std::string>{"a"});
  graph.add_to_collection("a", two);
  graph.add_to_collection("b", two);
  restore_collection(some);
  EXPECT_THAT(graph.collection("a"), ElementsAre(one));
  EXPECT_THAT(graph.collection("b"), ElementsAre(two));
  graph.truncate_collection("a", 0);
  restore_collection(all);
  EXPECT_THAT(graph.collection("a"), ElementsAre(one));
}

TEST_F(CollectionTest, FrozenCollectionsAreRestoredAtTheEnd) {
  {
    const FreezeCollection frozen({"a", "new"});
    graph.add_to_collection("a", two);
    graph.add_to_collection("new", two);
    graph.add_to_collection("b", two);
  }
  EXPECT_THAT(graph.collection("a"), ElementsAre(one));
  EXPECT_THAT(graph.collection("new"), IsEmpty());
  EXPECT_THAT(graph.collection("b"), ElementsAre(two));
}

TEST_F(CollectionTest, AGuardTellsWhatWasAdded) {
  const CollectionGuard guard(graph);
  graph.add_to_collection("a", two);
  EXPECT_THAT(guard.added("a"), ElementsAre(two));
  EXPECT_THAT(guard.added("b"), IsEmpty());
}

TEST_F(CollectionTest, AGuardReportsChangesAndRestoresWhatIsFrozen) {
  {
    const CollectionGuard guard(graph, {.name = "tower1", .check_diff = true, .freeze_keys = {kSummaries}});
    graph.add_to_collection("a", two);
    graph.add_to_collection("b", two);
    graph.add_to_collection(kSummaries, two);
    graph.add_to_collection(kTrainableVariables, two);
  }
  EXPECT_THAT(log, ElementsAre("New collections created in tower tower1: b of size 1",
                               "Size of these collections were changed in tower1: (a: 1->2)",
                               "These collections were modified but restored in tower1: (summaries: 0->1)"));
  EXPECT_THAT(graph.collection(kSummaries), IsEmpty());
}

TEST_F(CollectionTest, AnExceptionEndsAGuardWithoutAReport) {
  try {
    const CollectionGuard guard(graph, {.name = "t", .check_diff = true, .freeze_keys = {"a"}});
    graph.add_to_collection("a", two);
    throw 1;
  } catch (int) {
  }
  EXPECT_THAT(log, IsEmpty());
  EXPECT_THAT(graph.collection("a"), ElementsAre(one));
}

}  // namespace
}  // namespace belfry
