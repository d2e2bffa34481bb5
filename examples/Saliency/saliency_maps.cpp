// Which pixels of a picture speak for its class: guided backpropagation through ResNet-50.
//
//   example_saliency_maps --load resnet_v1_50.ckpt cat.jpg
//
// The checkpoint is the one that TensorFlow's slim publishes. Writes pos.jpg, neg.jpg (what speaks for the
// class and against it), abs-saliency.jpg and blended.jpg, as tensorpack's examples/Saliency/saliency-maps.py
// does.

#include "examples/Saliency/saliency_maps.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "belfry/data.h"
#include "examples/read_image.h"
#include "examples/write_jpeg.h"

using namespace belfry;

namespace {

at::Tensor to_pixels(at::Tensor x) {
  x = x - x.min();
  return x / x.max() * 255;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string checkpoint = "resnet_v1_50.ckpt", picture;
  CLI::App app("Shows which pixels of a picture speak for its class.");
  app.add_option("picture", picture, "a JPEG or PNG file")->required();
  app.add_option("--load", checkpoint, "slim's checkpoint of ResNet-50")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const saliency_maps::Model model;
  const OfflinePredictor predict({.model = saliency_maps::Model(),
                                  .session_init = SmartInit(checkpoint),
                                  .inputs = {"image"},
                                  .outputs = {"saliency"}});
  Rng rng(0);
  const at::Tensor image = imgaug::Resize(model.image_size).augment(read_image(picture), rng).to(at::kFloat);
  const at::Tensor saliency = predict(image)[0];
  write_jpeg("pos.jpg", to_pixels(saliency.clamp_min(0)));
  write_jpeg("neg.jpg", to_pixels((-saliency).clamp_min(0)));
  const at::Tensor heat = viz::intensity_to_rgb(saliency.abs().amax(-1), "cubehelix", true);
  write_jpeg("abs-saliency.jpg", heat);
  write_jpeg("blended.jpg", image * 0.2 + heat * 0.8);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
