// Microseconds for each image of the augmentors, drawing included; one thread.
// benchmarks/peers/imgaug_peer.py measures tensorpack's under the same names.
//
//   NAME/byte, NAME/float    one augmentor on 224 x 224 x 3
//   Photo/NAME               from a decoded photo of 375 x 500 x 3 to 224 x 224 x 3
//   Photo/ImageNetTrain      tensorpack's training pipeline: random resized crop, four changes of colour in
//   float32, flip

#include <ATen/Parallel.h>
#include <ATen/ops/randint.h>
#include <benchmark/benchmark.h>

#include "belfry/data/imgaug/imgaug.h"

namespace belfry::imgaug {
namespace {

void run(benchmark::State& state, const AnyAugmentor& augmentor, const at::Tensor& image) {
  Rng rng(0);
  for (auto _ : state) benchmark::DoNotOptimize(augmentor->augment(image, rng));
}

LightingOptions imagenet_colours() {
  return {.eigval = {0.2175 * 255, 0.0188 * 255, 0.0045 * 255},
          .eigvec = {{{-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}}}};
}

AugmentorList imagenet_train() {
  return AugmentorList({GoogleNetRandomCropAndResize({.interp = Interpolation::kCubic}), ToFloat32(),
                        RandomOrderAug({BrightnessScale({0.6, 1.4}), Contrast({0.6, 1.4}, {.rgb = false}),
                                        Saturation(0.4, {.rgb = false}), Lighting(0.1, imagenet_colours())}),
                        ToUint8(), Flip({.horiz = true})});
}

struct Named {
  std::string name;
  AnyAugmentor augmentor;
};

std::vector<Named> both_dtypes() {
  return {
      {"Brightness", Brightness(30)},
      {"BrightnessScale", BrightnessScale({0.6, 1.4})},
      {"Contrast", Contrast({0.6, 1.4})},
      {"ContrastGray", Contrast({0.6, 1.4}, {.rgb = false})},
      {"Saturation", Saturation(0.4)},
      {"Lighting", Lighting(0.1, imagenet_colours())},
      {"Hue", Hue()},
      {"Gamma", Gamma()},
      {"Clip", Clip({20, 200})},
      {"GaussianBlur", GaussianBlur({.size_low = 1, .size_high = 2})},
      {"MeanVarianceNormalize", MeanVarianceNormalize()},
      {"MinMaxNormalize", MinMaxNormalize()},
      {"Grayscale", Grayscale()},
      {"ToFloat32", ToFloat32()},
      {"ToUint8", ToUint8()},
      {"GaussianNoise", GaussianNoise({.sigma = 5})},
      {"SaltPepperNoise", SaltPepperNoise()},
      {"Flip", Flip({.horiz = true, .prob = 1})},
      {"Transpose", Transpose(1)},
      {"RandomCrop", RandomCrop(200)},
      {"RandomCutout", RandomCutout({.h_low = 50, .h_high = 50, .w_low = 50, .w_high = 50})},
      {"CenterPaste", CenterPaste(256)},
      {"Resize", Resize(160)},
      {"ResizeCubic", Resize(160, Interpolation::kCubic)},
      {"Shift", Shift({.horiz_frac = 0.1, .vert_frac = 0.1})},
      {"Rotation", Rotation(30)},
      {"Affine", Affine({.scale = Range{0.8, 1.2}, .rotate_max_deg = 20, .shear = 10})},
      {"JpegNoise", JpegNoise()},
      {"GaussianDeform", GaussianDeform({{0.2, 0.2}, {0.7, 0.2}, {0.8, 0.8}, {0.5, 0.5}}, 224)},
  };
}

std::vector<Named> on_photos() {
  return {
      {"GoogleNetRandomCropAndResize", GoogleNetRandomCropAndResize()},
      {"GoogleNetRandomCropAndResizeCubic", GoogleNetRandomCropAndResize({.interp = Interpolation::kCubic})},
      {"ImageNetTrain", imagenet_train()},
      {"ImageNetEvaluation",
       AugmentorList({ResizeShortestEdge(256, Interpolation::kCubic), CenterCrop(224)})},
  };
}

void add(const std::string& name, const AnyAugmentor& augmentor, const at::Tensor& image) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    run(state, augmentor, image);
  })->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace belfry::imgaug

int main(int argc, char** argv) {
  using namespace belfry::imgaug;
  at::set_num_threads(1);
  const at::Tensor bytes = at::randint(256, {224, 224, 3}, at::kByte), floats = bytes.to(at::kFloat);
  const at::Tensor photo = at::randint(256, {375, 500, 3}, at::kByte);
  for (const Named& each : both_dtypes()) {
    add(each.name + "/byte", each.augmentor, bytes);
    add(each.name + "/float", each.augmentor, floats);
  }
  for (const Named& each : on_photos()) add("Photo/" + each.name, each.augmentor, photo);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
