#include "belfry/input/staging_input.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/input/feed_input.h"

namespace belfry {
namespace {

std::vector<int64_t> values(StagingInput& input) {
  std::vector<int64_t> all;
  while (const auto batch = input.next()) all.push_back((*batch)[0].item<int64_t>());
  return all;
}

StagingInput staging(Graph& graph, c10::Device device) {
  const GraphScope as_default(graph);
  StagingInput input(FeedInput(DataFromTensors({at::arange(5)}), {.infinite = false}), device);
  input.setup({{"x", {}, kInt64}});
  EXPECT_EQ(input.input_tensors().size(), 1U);
  EXPECT_EQ(input.feed_tensors().size(), 1U);
  return input;
}

TEST(StagingInput, PassesOnWhatItsInputGives) {
  Graph graph;
  StagingInput input = staging(graph, c10::kCPU);
  EXPECT_EQ(input.size(), 5);
  EXPECT_TRUE(input.is_finite());
  for (int pass = 0; pass < 2; ++pass) {
    input.reset_state();
    EXPECT_THAT(values(input), testing::ElementsAre(0, 1, 2, 3, 4));
    input.stop();
  }
  EXPECT_TRUE(input.resume_at({.pass = 0, .index = 3}));
  input.reset_state();
  EXPECT_EQ((*input.next())[0].item<int64_t>(), 3);
  EXPECT_EQ(input.position(), (DataPosition{.pass = 0, .index = 4}));
}

TEST(StagingInput, IsOneStepAheadOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU";
  Graph graph;
  StagingInput input = staging(graph, c10::Device(c10::kCUDA, 0));
  input.reset_state();
  const auto first = input.next();
  EXPECT_TRUE((*first)[0].is_cuda());
  EXPECT_EQ(input.position(), (DataPosition{.pass = 0, .index = 1}));
  EXPECT_THAT(values(input), testing::ElementsAre(1, 2, 3, 4));
}

TEST(StagingInput, SaysThatThereIsNoGpu) {
  if (at::hasCUDA()) GTEST_SKIP() << "there is one";
  Graph graph;
  StagingInput input = staging(graph, c10::Device(c10::kCUDA, 0));
  EXPECT_THROW(input.reset_state(), ResourceError);
}

}  // namespace
}  // namespace belfry
