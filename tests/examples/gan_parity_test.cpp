#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "examples/GAN/began.h"
#include "examples/GAN/conditionalgan_mnist.h"
#include "examples/GAN/cyclegan.h"
#include "examples/GAN/dcgan.h"
#include "examples/GAN/discogan_celeba.h"
#include "examples/GAN/image2image.h"
#include "examples/GAN/improved_wgan.h"
#include "examples/GAN/infogan_mnist.h"
#include "examples/GAN/wgan.h"
#include "examples/SuperResolution/enet_pat.h"
#include "tests/examples/model_parity.h"

namespace belfry {
namespace {

struct GanParity : test::ModelParity<GanParity> {
  static constexpr const char* kScript = "tests/examples/gan_models.py";
};

TEST_F(GanParity, DCGAN) {
  expect_same("dcgan", gan::dcgan::Model(64, 2, 100), {"input", "z"},
              {"gen/gen", "discrim/fct/output", "discrim/fct_1/output", "GAN_loss/gen/loss",
               "GAN_loss/discrim/loss"});
}
TEST_F(GanParity, ImprovedWGAN) {
  expect_same("improved_wgan", gan::improved_wgan::Model(64, 2, 128), {"input", "z", "alpha"},
              {"d_loss", "g_loss", "gradient_rms", "gradient_penalty"});
}
TEST_F(GanParity, BEGAN) {
  expect_same("began", gan::began::Model(2, 16, 16, 8), {"input", "z"},
              {"gen/conv4.3/output", "discrim/dec/conv4.3/output", "losses/equilibrium", "losses/measure"});
}
TEST_F(GanParity, ConditionalGAN) {
  expect_same("conditional_gan", gan::conditionalgan_mnist::Model(2), {"input", "label", "z"},
              {"gen/gen", "discrim/fct/output", "discrim/fct_1/output"});
}
TEST_F(GanParity, InfoGAN) {
  expect_same("infogan", gan::infogan_mnist::Model(2), {"input", "z_code", "z_noise"},
              {"gen/gen", "discrim/fct/output", "discrim/fce-out_1/output",
               "mutual_information/mutual_information", "total_g_loss", "total_d_loss"});
}
TEST_F(GanParity, CycleGAN) {
  expect_same("cyclegan", gan::cyclegan::Model(32, 8), {"inputA", "inputB"},
              {"gen/B/convlast/output", "gen/A/convlast/output", "discrim/A/conv4/output",
               "losses/G_loss_total", "losses/D_loss_total"});
}
TEST_F(GanParity, DiscoGAN) {
  expect_same("discogan", gan::discogan_celeba::Model(32, 8), {"inputA", "inputB"},
              {"viz_A_recon", "discrim/A/fc/output", "LossA/recon_loss", "G_loss_total", "D_loss_total"});
}
TEST_F(GanParity, Image2Image) {
  expect_same("image2image", gan::image2image::Model(4, 0.0), {"input", "output"},
              {"gen/deconv8/output", "discrim/convlast/output", "discrim/convlast_1/output", "L1_loss",
               "total_g_loss"});
}

/// Trains a few steps: the losses stay finite, and variables of both players change.
void expect_trains(TowerTrainer& trainer, const gan::GANModelDesc& model, Callbacks more = {}) {
  test::TempDir dir;
  std::vector<double> losses;
  Callbacks all = callbacks(ProcessTensors({model.g_loss.op_name(), model.d_loss.op_name()},
                                           [&](const std::vector<at::Tensor>& values) {
                                             for (const at::Tensor& v : values)
                                               losses.push_back(v.item<double>());
                                           }));
  all.insert(all.end(), more.begin(), more.end());
  for (const auto& callback : default_callbacks()) all.push_back(callback);
  trainer.setup_callbacks({.callbacks = all, .log_dir = dir.path()});
  trainer.initialize({});
  auto values = [&](const std::vector<Variable>& variables) {
    std::vector<at::Tensor> copies;
    for (const Variable& v : variables) copies.push_back(trainer.session().value(v).clone());
    return copies;
  };
  const std::vector<at::Tensor> g_before = values(model.g_vars), d_before = values(model.d_vars);
  trainer.main_loop({.steps_per_epoch = 3, .max_epoch = 1});
  ASSERT_GE(losses.size(), 6U);
  for (double loss : losses) EXPECT_TRUE(std::isfinite(loss)) << loss;
  auto moved = [](const std::vector<at::Tensor>& before, const std::vector<at::Tensor>& after) {
    size_t count = 0;
    for (size_t i = 0; i < before.size(); ++i) count += !at::equal(before[i], after[i]);
    return count;
  };
  EXPECT_GT(moved(g_before, values(model.g_vars)), model.g_vars.size() / 2);
  EXPECT_GT(moved(d_before, values(model.d_vars)), model.d_vars.size() / 2);
}

QueueInput batches(const Datapoint& batch) {
  return QueueInput(DataFromList(std::vector<Datapoint>(20, batch)));
}
at::Tensor pixels(int64_t count, int64_t side) {
  return at::randint(0, 256, {count, side, side, 3}, at::kFloat);
}

TEST(GanTraining, DCGAN) {
  gan::dcgan::Model model(64, 2, 100);
  gan::GANTrainer trainer(batches({pixels(2, 64)}), model);
  expect_trains(trainer, model);
}
TEST(GanTraining, WGANClipsTheDiscriminatorAndTrainsItOnceForTwoOfTheGenerator) {
  gan::wgan::Model model(64, 2, 100);
  gan::SeparateGANTrainer trainer(batches({pixels(2, 64)}), model, {.d_period = 3});
  expect_trains(trainer, model, callbacks(gan::wgan::ClipCallback()));
  for (const Variable& v : model.d_vars)
    EXPECT_LE(trainer.session().value(v).abs().max().item<double>(), 0.0100001) << v.name();
  // Of global_step 0 to 4: D G | G | D G.
  EXPECT_EQ(trainer.global_step(), 5);
  EXPECT_EQ(trainer.d_runs(), 2);
  EXPECT_EQ(trainer.g_runs(), 3);
}
TEST(GanTraining, ImprovedWGAN) {
  gan::improved_wgan::Model model(64, 2, 128);
  gan::SeparateGANTrainer trainer(batches({pixels(2, 64)}), model, {.g_period = 2});
  expect_trains(trainer, model);
}
TEST(GanTraining, SeparateTrainerRefusesTwoPeriodsAboveOne) {
  gan::dcgan::Model model(64, 2, 100);
  EXPECT_THROW(gan::SeparateGANTrainer(batches({pixels(2, 64)}), model, {.d_period = 2, .g_period = 2}),
               UsageError);
}
TEST(GanTraining, BEGANKeepsItsBalance) {
  gan::began::Model model(2, 16, 16, 8);
  gan::GANTrainer trainer(batches({pixels(2, 64)}), model);
  std::vector<double> equilibria;
  expect_trains(trainer, model,
                callbacks(ProcessTensors({"losses/equilibrium"}, [&](const std::vector<at::Tensor>& values) {
                  equilibria.push_back(values[0].item<double>());
                })));
  double kt = 0;
  for (double eq : equilibria) kt += 1e-3 * eq;
  EXPECT_NEAR(trainer.session().value(Variable(trainer.graph().find_variable("kt"))).item<double>(), kt,
              1e-7);
}
TEST(GanTraining, ConditionalGAN) {
  gan::conditionalgan_mnist::Model model(4);
  gan::GANTrainer trainer(batches({at::rand({4, 28, 28}), at::randint(0, 10, {4}, at::kLong)}), model);
  expect_trains(trainer, model);
}
TEST(GanTraining, InfoGAN) {
  gan::infogan_mnist::Model model(4);
  gan::GANTrainer trainer(batches({at::rand({4, 28, 28})}), model);
  expect_trains(trainer, model);
}
TEST(GanTraining, CycleGAN) {
  gan::cyclegan::Model model(32, 8);
  gan::GANTrainer trainer(batches({pixels(1, 32), pixels(1, 32)}), model);
  expect_trains(trainer, model);
}
TEST(GanTraining, DiscoGAN) {
  gan::discogan_celeba::Model model(32, 8);
  gan::SeparateGANTrainer trainer(batches({pixels(2, 32), pixels(2, 32)}), model, {.d_period = 3});
  expect_trains(trainer, model);
}
TEST(GanTraining, EnetPatLeavesVGG19AsItIs) {
  enet_pat::Model model(16, 16);
  gan::SeparateGANTrainer trainer(batches({pixels(1, 16), pixels(1, 64)}), model, {.d_period = 3});
  std::vector<double> perceptual;
  std::vector<at::Tensor> vgg19;
  expect_trains(trainer, model,
                callbacks(ProcessTensors({"additional_losses/loss_LP1", "VGG19/conv1_1/W"},
                                         [&](const std::vector<at::Tensor>& values) {
                                           perceptual.push_back(values[0].item<double>());
                                           vgg19.push_back(values[1].clone());
                                         })));
  EXPECT_LT(perceptual.back(), perceptual.front());
  EXPECT_TRUE(at::equal(vgg19.back(), vgg19.front()));
  EXPECT_EQ(trainer.d_runs(), 2);
  EXPECT_EQ(trainer.g_runs(), 3);
}
TEST(GanTraining, Image2Image) {
  gan::image2image::Model model(4);
  gan::GANTrainer trainer(batches({pixels(1, 256), pixels(1, 256)}), model);
  expect_trains(trainer, model);
}

}  // namespace
}  // namespace belfry
