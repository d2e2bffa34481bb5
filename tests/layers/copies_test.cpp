#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/record_function.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

/// No other size in these tests is this one: a 4-D tensor that has it is a batch of images.
constexpr int64_t kBatch = 7;

/// Lists the operators that run while it lives and may copy a batch of images.
class ImageCopies {
 public:
  ImageCopies() : handle_(at::addGlobalCallback(at::RecordFunctionCallback(&record).needsInputs(true))) {
    list().clear();
  }
  ~ImageCopies() { at::removeCallback(handle_); }
  ImageCopies(const ImageCopies&) = delete;
  ImageCopies& operator=(const ImageCopies&) = delete;

  static std::vector<std::string>& list() {
    static std::vector<std::string> names;
    return names;
  }

 private:
  static std::unique_ptr<at::ObserverContext> record(const at::RecordFunction& function) {
    const std::string_view name = function.name();
    if (name != "aten::copy_" && name != "aten::clone" && name != "aten::contiguous") return nullptr;
    const at::Tensor& input = function.inputs()[0].toTensor();
    if (input.dim() == 4 && input.size(0) == kBatch) list().emplace_back(name);
    return nullptr;
  }
  at::CallbackHandle handle_;
};

/// A net, and the gradients by its variables, run under ImageCopies.
class ImageCopiesTest : public testing::Test {
 protected:
  std::vector<std::string> copies_of(const LayerCall& net) {
    Graph graph;
    GraphScope as_default(graph);
    TowerContext tower("", {.is_training = true});
    const Tensor image = placeholder("image", {kDynamic, 17, 17, 3});
    const Tensor y = net(image);
    const auto variables = trainable_variables();
    std::vector<Fetch> fetches = {y};
    for (const Tensor& g : gradients(sum(square(y)), {variables.begin(), variables.end()}))
      fetches.emplace_back(g);
    Session session(graph);
    session.initialize_variables();
    const Callable run = session.make_callable({image}, fetches);
    const ImageCopies copies;
    run({at::ones({kBatch, 17, 17, 3})});
    return ImageCopies::list();
  }
};

TEST_F(ImageCopiesTest, AreNotMadeForwardNorBackward) {
  EXPECT_THAT(copies_of([](const Tensor& x) {
                return x | Conv2D("conv0", {.filters = 4, .kernel = 3, .activation = BNReLU}) |
                       Conv2D("conv1", {.filters = 8, .kernel = 3, .strides = 2, .groups = 2}) |
                       MaxPooling("pool0", {.pool = 3}) | AvgPooling("pool1", {.pool = 3}) |
                       FullyConnected("fc", {.units = 10});
              }),
              testing::IsEmpty());
}

TEST_F(ImageCopiesTest, AreNotMadeByTransposedConvolutions) {
  EXPECT_THAT(copies_of([](const Tensor& x) {
                return x | Conv2DTranspose("deconv0", {.filters = 4, .kernel = 4, .strides = 2}) |
                       GlobalAvgPooling("gap");
              }),
              testing::IsEmpty());
}

/// ATen pads both sides alike, so that an odd row or column takes a larger image first.
TEST_F(ImageCopiesTest, AreMadeForAnOddPadding) {
  EXPECT_THAT(copies_of([](const Tensor& x) {
                return x | Conv2D("conv0", {.filters = 4, .kernel = 2}) | GlobalAvgPooling("gap");
              }),
              testing::SizeIs(1));
}

}  // namespace
}  // namespace belfry
