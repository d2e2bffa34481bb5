#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "examples/DeepQNetwork/dqn_model.h"
#include "examples/DeepQNetwork/expreplay.h"
#include "examples/HED/hed.h"
#include "examples/OpticalFlow/flownet_models.h"
#include "examples/Saliency/cam_resnet.h"
#include "examples/Saliency/saliency_maps.h"
#include "examples/SuperResolution/enet_pat.h"
#include "examples/basics/cifar_convnet.h"
#include "examples/basics/mnist_visualizations.h"
#include "examples/basics/svhn_digit_convnet.h"
#include "tests/examples/learns_a_batch.h"
#include "tests/examples/model_parity.h"

namespace belfry {
namespace {

struct VisionParity : test::ModelParity<VisionParity> {
  static constexpr const char* kScript = "tests/examples/vision_models.py";
};

TEST_F(VisionParity, CifarConvnet) {
  expect_same("cifar_convnet", cifar_convnet::Model(10), {"input"}, {"logits"});
}
TEST_F(VisionParity, MnistVisualizations) {
  expect_same(
      "mnist_visualizations", mnist_visualizations::Model(), {"input"},
      {"logits", "visualizations/visualize_w_conv1/pixels", "visualizations/visualize_act_conv2/pixels"});
}
TEST_F(VisionParity, SvhnDigitConvnet) {
  expect_same("svhn_digit_convnet", svhn_digit_convnet::Model(), {"input"}, {"output"});
}
TEST_F(VisionParity, SaliencyMaps) {
  expect_same("saliency_maps", saliency_maps::Model(32, {{32, 2, 2}, {48, 2, 1}}, 7), {"image"},
              {"saliency", "resnet_v1_50/output"});
}
TEST_F(VisionParity, CamResnet) {
  expect_same("cam_resnet", cam_resnet::Model(18, 32, 8), {"input"}, {"prob", "convmaps"});
}
TEST_F(VisionParity, DeepQNetwork) {
  using namespace dqn;
  expect_same("dqn_double", dqn::Model({32, 32}, 4, Method::kDouble, 3), {"comb_state"}, {"Qvalue"});
  expect_same("dqn_dueling", dqn::Model({32, 32}, 4, Method::kDueling, 3), {"comb_state"}, {"Qvalue"});
}

TEST_F(VisionParity, HED) {
  expect_same("hed", hed::Model(16), {"image", "edgemap"},
              {"output1", "output2", "output3", "output4", "output5", "output6", "xentropy1", "xentropy2",
               "xentropy3", "xentropy4", "xentropy5", "xentropy6", "train_error"});
}
TEST_F(VisionParity, EnetPat) {
  expect_same("enet_pat", enet_pat::Model(16, 16), {"Ilr", "Ihr"},
              {"bicubic_baseline", "discrim/fc1/output", "discrim/fc1_1/output", "additional_losses/loss_LA",
               "additional_losses/loss_LP1", "additional_losses/loss_LP2", "additional_losses/loss_LT1",
               "additional_losses/loss_LT2", "additional_losses/loss_LT3", "total_g_loss", "d_loss"});
  // Pixels, of [0, 255].
  expect_same("enet_pat", enet_pat::Model(16, 16), {"Ilr", "Ihr"}, {"prediction"},
              {.relative = 1e-4, .absolute = 1e-4 * 255});
}

// Flows are in pixels times 20: the tolerance is relative to that.
constexpr test::Tolerance kFlowTolerance{.relative = 1e-3, .absolute = 1e-3};

TEST_F(VisionParity, FlowNet2S) {
  expect_same("flownet2_s", flownet::Model(flownet::Net::kFlowNet2S, 64, 64), {"left", "right", "gt_flow"},
              {"prediction", "epe"}, kFlowTolerance);
}
TEST_F(VisionParity, FlowNet2C) {
  expect_same("flownet2_c", flownet::Model(flownet::Net::kFlowNet2C, 64, 64), {"left", "right", "gt_flow"},
              {"prediction", "epe"}, kFlowTolerance);
}
TEST_F(VisionParity, WhatFlowNet2HasBesides) {
  auto build = [](const TowerInputs& in) {
    const Tensor seen = identity(flownet::resample(in["image"], in["flow"]), "seen");
    return identity(flownet::flownet_fusion(seen), "fused");
  };
  expect_same("flownet_parts", TowerFunc(build, {{"image", {1, 11, 16, 24}}, {"flow", {1, 2, 16, 24}}}),
              {"image", "flow"}, {"seen", "fused"});
}
// Its checkpoint has 650 MB, and making it takes a minute: for who changes the net.
TEST_F(VisionParity, DISABLED_FlowNet2) {
  test::run_python("tests/examples/vision_models.py", {dir->path(), "flownet2"});
  expect_same("flownet2", flownet::Model(flownet::Net::kFlowNet2, 64, 64), {"left", "right", "gt_flow"},
              {"prediction", "epe"}, kFlowTolerance);
}

using test::costs_on_one_batch;
using test::expect_falls;

Datapoint labelled(const at::Tensor& images, int64_t classes) {
  return {images, at::arange(images.size(0), at::kLong) % classes};
}

TEST(VisionTraining, CifarConvnetLearnsABatch) {
  at::manual_seed(1);
  expect_falls(cifar_convnet::Model(10), "cross_entropy_loss", labelled(at::randn({8, 30, 30, 3}), 10));
}
TEST(VisionTraining, MnistVisualizationsLearnsABatch) {
  at::manual_seed(1);
  expect_falls(mnist_visualizations::Model(), "cross_entropy_loss", labelled(at::rand({8, 28, 28}), 10));
}
TEST(VisionTraining, SvhnDigitConvnetLearnsABatch) {
  at::manual_seed(1);
  expect_falls(svhn_digit_convnet::Model(), "cross_entropy_loss",
               labelled(at::randint(0, 256, {8, 40, 40, 3}, at::kFloat), 10));
}
TEST(VisionTraining, CamResnetLearnsABatch) {
  at::manual_seed(1);
  expect_falls(cam_resnet::Model(18, 32, 8), "xentropy-loss",
               labelled(at::randint(0, 256, {8, 32, 32, 3}, at::kByte), 8));
}
TEST(VisionTraining, HEDLearnsABatch) {
  at::manual_seed(1);
  const at::Tensor images = at::randint(0, 256, {2, 32, 48, 3}, at::kFloat);
  const at::Tensor edges = (images.select(3, 0) > 200).to(at::kInt);
  expect_falls(hed::Model(8), "cost", {images, edges});
}
TEST(VisionTraining, HEDOfAPictureWithoutEdgesHasAFiniteCost) {
  at::manual_seed(1);
  const Datapoint batch{at::randint(0, 256, {1, 16, 32, 3}, at::kFloat), at::zeros({1, 16, 32}, at::kInt)};
  for (const double cost : costs_on_one_batch(hed::Model(8), "cost", batch, 3))
    EXPECT_TRUE(std::isfinite(cost)) << cost;
}
TEST(VisionTraining, DeepQNetworkPlaysAndTrains) {
  test::TempDir dir;
  dqn::Model model(dqn::CatchBall::frame_shape(), 4, dqn::Method::kDouble, dqn::CatchBall::kNumActions);
  auto replay = std::make_shared<dqn::ExpReplay>(
      dqn::ExpReplayOptions{.batch_size = 16, .memory_size = 500, .init_memory_size = 100});
  std::vector<double> costs;
  launch_train_with_config(
      {.model = model,
       .data = FeedInput(replay->data()),
       .steps_per_epoch = 8,
       .max_epoch = 1,
       .callbacks = callbacks(
           PeriodicTrigger(RunOp(dqn::Model::update_target_param), {.every_k_steps = 4}), replay,
           ProcessTensors({"cost"},
                          [&](const std::vector<at::Tensor>& v) { costs.push_back(v[0].item<double>()); })),
       .monitors = std::vector<std::shared_ptr<Monitor>>{},
       .log_dir = dir.path()},
      SimpleTrainer());
  ASSERT_EQ(costs.size(), 8);
  for (const double cost : costs) EXPECT_TRUE(std::isfinite(cost));
}

TEST(ReplayMemory, BlackensFramesOfTheGameBefore) {
  dqn::ReplayMemory memory(10, 3);
  for (int i = 0; i < 6; ++i)
    memory.append({.state = at::full({1, 1}, i + 1, at::kByte), .action = i, .reward = 0, .is_over = i == 1});
  const Datapoint sample = memory.sample(1);  // frames 1 to 4, of which 1 is the last of its game
  EXPECT_TRUE(at::equal(sample[0].flatten(), at::tensor({0, 3, 4, 5}, at::kByte)));
  EXPECT_EQ(sample[1].item<int64_t>(), 3);
}

}  // namespace
}  // namespace belfry
