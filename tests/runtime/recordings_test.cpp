#include "belfry/runtime/internal/recordings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"

namespace belfry::internal {
namespace {

using testing::UnorderedElementsAre;

class RecordingsTest : public testing::Test {
 protected:
  static Recordings find(const std::vector<Tensor>& fetches, const Fed& fed = {}) {
    return find_recordings(order_nodes(find_needed(fetches, fed), fed), fed);
  }
  static std::vector<std::string> names(const std::unordered_set<const Node*>& nodes) {
    std::vector<std::string> result;
    for (const Node* node : nodes) result.push_back(node->name());
    return result;
  }

  Graph graph;
  GraphScope as_default{graph};
  Variable x = get_variable("x", {}), other = get_variable("other", {});
};

TEST_F(RecordingsTest, ARunWithoutGradientsRecordsNothing) {
  EXPECT_TRUE(find({identity(x, "y")}).of_gradients.empty());
}

TEST_F(RecordingsTest, HoldsWhatLiesBetweenTheXsAndTheLoss) {
  const Tensor aside = identity(other, "aside"), middle = identity(x, "middle");
  const Tensor loss = identity(middle, "start");
  const Tensor sum = identity(loss + aside, "loss");
  const Recordings found = find({gradients(sum, {x})[0], identity(sum, "below")});
  EXPECT_THAT(names(found.nodes), UnorderedElementsAre("middle", "start", "add", "loss"));
  EXPECT_THAT(names(found.of_gradients.at(0).above),
              UnorderedElementsAre("x", "other", "aside", "middle", "start", "add", "loss"));
  EXPECT_THAT(found.differentiated, UnorderedElementsAre(x.tensor()));
}

TEST_F(RecordingsTest, NothingFlowsThroughAFedTensorOrAStoppedGradient) {
  const Tensor middle = identity(x, "middle"), loss = identity(middle, "loss");
  const Tensor gradient = gradients(loss, {x})[0];
  EXPECT_THAT(names(find({gradient}, {middle}).nodes), UnorderedElementsAre());
  const Tensor stopped = identity(stop_gradient(x), "stopped");
  EXPECT_THAT(names(find({gradients(loss + stopped, {x})[0]}).nodes),
              UnorderedElementsAre("middle", "loss", "add"));
}

TEST_F(RecordingsTest, AnXInTheMiddleIsWhereRecordingBegins) {
  const Tensor middle = identity(x, "middle"), loss = identity(middle, "loss");
  EXPECT_THAT(names(find({gradients(loss, {middle})[0]}).nodes), UnorderedElementsAre("loss"));
}

TEST_F(RecordingsTest, ARecordingIsSharedLaterWhereAnotherNeedsItsNodes) {
  const Tensor both = identity(x, "both"), alone = identity(other, "alone");
  const Recordings found = find(
      {gradients(both, {x})[0], gradients(identity(both, "more"), {x})[0], gradients(alone, {other})[0]});
  ASSERT_EQ(found.of_gradients.size(), 3u);
  EXPECT_TRUE(found.is_shared_later(found.of_gradients[0]));
  EXPECT_FALSE(found.is_shared_later(found.of_gradients[1]));
  EXPECT_FALSE(found.is_shared_later(found.of_gradients[2]));
  EXPECT_EQ(&found.of(*found.of_gradients[1].gradients), &found.of_gradients[1]);
}

TEST_F(RecordingsTest, AWriteInsideIsAnError) {
  const Tensor written = assign_add(other, identity(x));
  EXPECT_THROW(find({gradients(identity(written), {x})[0]}), UsageError);
}

}  // namespace
}  // namespace belfry::internal
