// Optical flow between images by FlowNet 2.0, with the weights of its authors.
//
//   example_flownet2 --model flownet2-c --load flownet2-c.npz --images 1.png 2.png 3.png
//
// Writes flow_output000.jpg and so on: left and right image, and the flow as colours, direction by hue and
// length by saturation. tensorpack's examples/OpticalFlow/README.md has the weights, and reports an average
// end-point error on Sintel (clean) of 2.10 for flownet2, 3.82 for flownet2-s and 3.08 for flownet2-c. On
// purpose different: pictures only, no window, no evaluation on Sintel, and colours of a plain wheel.

#include <ATen/ops/atan2.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <numbers>

#include "belfry/data.h"
#include "examples/OpticalFlow/flownet_models.h"
#include "examples/read_image.h"
#include "examples/write_jpeg.h"

using namespace belfry;

namespace {

/// The middle of an image, whose sides are multiples of 64.
at::Tensor crop(const at::Tensor& image) {
  const int64_t h = image.size(0) / 64 * 64, w = image.size(1) / 64 * 64;
  return image.narrow(0, (image.size(0) - h) / 2, h).narrow(1, (image.size(1) - w) / 2, w);
}

/// Colours [H, W, 3], RGB, of a flow [2, H, W].
at::Tensor colours(const at::Tensor& flow) {
  const at::Tensor length = flow.square().sum(0).sqrt();
  const at::Tensor angle = at::atan2(flow[1], flow[0]);
  std::vector<at::Tensor> channels;
  for (int i = 0; i < 3; ++i) channels.push_back(((angle + 2 * std::numbers::pi * i / 3).cos() + 1) / 2);
  const at::Tensor saturation = (length / length.max().clamp_min(1)).unsqueeze(2);
  return (1 - saturation * (1 - at::stack(channels, 2))) * 255;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::map<std::string, flownet::Net> nets = {{"flownet2", flownet::Net::kFlowNet2},
                                                    {"flownet2-s", flownet::Net::kFlowNet2S},
                                                    {"flownet2-c", flownet::Net::kFlowNet2C}};
  std::string name, load;
  std::vector<std::string> images;
  CLI::App app("Shows how pixels move from image to image.");
  app.add_option("--model", name)->required()->check(CLI::IsMember({"flownet2", "flownet2-s", "flownet2-c"}));
  app.add_option("--load", load, "weights")->required();
  app.add_option("--images", images, "images of one size, at least two")->required()->expected(2, 1 << 20);
  CLI11_PARSE(app, argc, argv);

  // BGR, as the nets were trained.
  at::Tensor left = crop(read_image(images[0], imgaug::PixelOrder::kBgr));
  const OfflinePredictor predict({.model = flownet::Model(nets.at(name), left.size(0), left.size(1)),
                                  .session_init = SmartInit(load),
                                  .inputs = {"left", "right"},
                                  .outputs = {"prediction"}});
  auto batch = [](const at::Tensor& image) {
    return image.to(at::kFloat).permute({2, 0, 1}).unsqueeze(0).contiguous();
  };
  for (size_t i = 1; i < images.size(); ++i) {
    const at::Tensor right = crop(read_image(images[i], imgaug::PixelOrder::kBgr));
    const at::Tensor flow = predict({batch(left), batch(right)})[0][0];
    write_jpeg(fmt::format("flow_output{:03}.jpg", i - 1),
               viz::stack_patches({left.flip(2), right.flip(2), colours(flow)}, 2, 2));
    left = right;
  }
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
