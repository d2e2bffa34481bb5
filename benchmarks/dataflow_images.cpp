// Images per second from JPEGs in memory to batches of 64 for training or evaluation on ImageNet.
// benchmarks/dataflow runs it and its peers in turn, and says what the tasks are.
//
// usage: dataflow_images ENGINE TASK THREADS FOLDER
//
// ENGINE: belfry; belfry_exact, which decodes whole pictures; or libjpeg, which decodes whole pictures and
// does nothing else. TASK: train or eval. Prints "ready"; then for each line of standard input, a number of
// seconds, the images per second over that time.

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "belfry/belfry.h"
#include "belfry/data/images/image_batch_data.h"
#include "belfry/data/images/image_flows.h"
#include "belfry/data/imgaug/imgaug.h"

using namespace belfry;
using namespace belfry::imgaug;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kBatch = 64;
// Means and deviations of ImageNet's pixels, and the principal components of their colours, RGB.
constexpr std::array<double, 3> kMean = {123.675, 116.28, 103.53}, kStd = {58.395, 57.12, 57.375};
constexpr std::array<double, 3> kEigenvalues = {0.2175 * 255, 0.0188 * 255, 0.0045 * 255};
constexpr std::array<std::array<double, 3>, 3> kEigenvectors = {
    {{-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}}};

AugmentorList augmentors_of(const std::string& task) {
  if (task == "eval") return AugmentorList({ResizeShortestEdge(256), CenterCrop(224)});
  return AugmentorList(
      {GoogleNetRandomCropAndResize(), ToFloat32(),
       RandomOrderAug({BrightnessScale({0.6, 1.4}, /*clip=*/false), Contrast({0.6, 1.4}, {.clip = false}),
                       Saturation(0.4, {.clip = false}),
                       Lighting(0.1, {.eigval = kEigenvalues, .eigvec = kEigenvectors})}),
       Flip({.horiz = true})});
}

std::vector<Datapoint> load(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".JPEG") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Datapoint> datapoints;
  for (Datapoint& datapoint : ImageFromFile(paths, {.encoded = true}).iterator()) {
    datapoints.push_back({datapoint[0], at::scalar_tensor(0, at::kLong)});
  }
  return datapoints;
}

/// The number of images made in each call.
using Step = std::function<int64_t()>;

double rate(const Step& step, double seconds) {
  // What was made while the others ran is taken first.
  constexpr double kWarmUp = 0.5;
  for (const auto end = Clock::now() + std::chrono::duration<double>(kWarmUp); Clock::now() < end;) step();
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration<double>(seconds);
  int64_t images = 0;
  while (Clock::now() < end) images += step();
  return static_cast<double>(images) / std::chrono::duration<double>(Clock::now() - start).count();
}

Step belfry_step(const std::string& task, int64_t threads, std::vector<Datapoint> files, bool exact) {
  ImageBatchData flow(
      RepeatedData(DataFromList(std::move(files)), -1), kBatch, augmentors_of(task),
      {.num_thread = threads, .mean = kMean, .std = kStd, .decode_augment = {.exact = exact}});
  auto pass = std::make_shared<DataIterator>(flow.iterator());
  return [pass] { return (*pass->next())[0].size(0); };
}

void decode(const at::Tensor& bytes, std::vector<uint8_t>& pixels) {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes.const_data_ptr<uint8_t>(), static_cast<unsigned long>(bytes.numel()));
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  const size_t stride = size_t{3} * jpeg.output_width;
  pixels.resize(std::max(pixels.size(), stride * jpeg.output_height));
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = pixels.data() + jpeg.output_scanline * stride;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
}

/// All files once, by as many threads.
Step libjpeg_step(int64_t threads, std::vector<Datapoint> files) {
  return [threads, files = std::move(files)] {
    std::atomic<size_t> next = 0;
    auto work = [&] {
      std::vector<uint8_t> pixels;
      for (size_t i; (i = next++) < files.size();) decode(files[i][0], pixels);
    };
    std::vector<std::jthread> others;
    for (int64_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
    others.clear();
    return static_cast<int64_t>(files.size());
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: {} belfry|belfry_exact|libjpeg train|eval THREADS FOLDER\n", argv[0]);
    return 2;
  }
  const std::string engine = argv[1], task = argv[2];
  const int64_t threads = std::stoll(argv[3]);
  at::set_num_threads(1);
  std::vector<Datapoint> files = load(argv[4]);
  const Step step = engine == "libjpeg"
                        ? libjpeg_step(threads, std::move(files))
                        : belfry_step(task, threads, std::move(files), engine == "belfry_exact");
  fmt::print("ready\n");
  std::fflush(stdout);
  for (double seconds; std::cin >> seconds;) {
    fmt::print("{:.2f}\n", rate(step, seconds));
    std::fflush(stdout);
  }
}
