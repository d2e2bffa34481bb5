// What a call of a compiled graph asks the allocator for: this program's malloc counts.

#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "belfry/graph/tower.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {
std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0};

void count() {
  if (counting) ++allocations;
}
}  // namespace

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
int posix_memalign(void** result, size_t alignment, size_t size) {
  count();
  *result = __libc_memalign(alignment, size);
  return *result ? 0 : 12;  // ENOMEM
}
}

namespace belfry {
namespace {

class AllocationTest : public testing::Test {
 protected:
  AllocationTest() : default_(graph_), tower_("", {.is_training = false}), session_(graph_) {}
  int64_t allocations_of(const Tensor& feed, const Tensor& fetch, const CompileOptions& options = {});

  Graph graph_;
  GraphScope default_;
  TowerContext tower_;
  Session session_;
};

/// Of the second call with the same shapes.
int64_t AllocationTest::allocations_of(const Tensor& feed, const Tensor& fetch,
                                       const CompileOptions& options) {
  session_.initialize_variables();
  const CompiledCallable compiled = compile(session_, {feed}, {fetch}, options);
  Shape feed_shape = feed.shape(), result_shape = fetch.shape();
  feed_shape[0] = result_shape[0] = 6;
  const std::vector<at::Tensor> feeds = {at::randn(feed_shape)}, results = {at::empty(result_shape)};
  compiled.run_into(feeds, results);
  allocations = 0;
  counting = true;
  compiled.run_into(feeds, results);
  counting = false;
  return allocations;
}

TEST_F(AllocationTest, AChainOfArithmeticAllocatesNothing) {
  const Tensor x = placeholder("x", {kDynamic, 4});
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = (y + x) * 0.5 - 1.0;
  EXPECT_EQ(allocations_of(x, y), 0);
}

TEST_F(AllocationTest, ScalesOfImagesAllocateNothing) {
  const Tensor x = placeholder("x", {kDynamic, 8, 8, 24});
  EXPECT_EQ(allocations_of(x, relu(BatchNorm("a", relu6(BatchNorm("b", x + 1.0)) * x))), 0);
}

TEST_F(AllocationTest, PartsOfABatchAllocateNothing) {
  const Tensor x = placeholder("x", {kDynamic, 64});
  EXPECT_EQ(allocations_of(x, (x + 1.0) * x, {.cache_bytes = 1000}), 0);
}

/// oneDNN makes a list of the arguments with each execution of a primitive; nothing else is asked for.
TEST_F(AllocationTest, AConvolutionalNetAllocatesAFewWordsForEachPrimitive) {
  const Tensor x = placeholder("x", {kDynamic, 8, 8, 3});
  const Tensor y = Conv2D("conv0", x, {.filters = 8, .kernel = 3, .activation = BNReLU});
  const Tensor z = Conv2D("conv1", BNReLU(y), {.filters = 8, .kernel = 3}) + y;
  const int64_t primitives = 5, arguments = 5;
  EXPECT_LE(allocations_of(x,
                           z | MaxPooling("pool", {.pool = 2}) | GlobalAvgPooling("gap") |
                               FullyConnected("fc", {.units = 5, .activation = tanh}),
                           {.split_batch = false}),
            primitives * (arguments + 2));
}

}  // namespace
}  // namespace belfry

#endif
