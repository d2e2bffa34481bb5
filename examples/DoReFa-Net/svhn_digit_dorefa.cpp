// DoReFa-Net on the digits of Street View House Numbers, after tensorpack's
// examples/DoReFa-Net/svhn-digit-dorefa.py.
//
//   example_svhn_digit_dorefa --data DIR --dorefa 1,2,4
//
// DIR holds {train,extra,test}_32x32.mat. tensorpack reports errors of 3.1 to 3.2 % for (W,A,G) = (1,1,4)
// after 150 epochs, 3.0 to 3.1 % for (1,2,4), and 2.3 % for (32,32,32).

#include "examples/DoReFa-Net/svhn_digit_dorefa.h"

#include <CLI/CLI.hpp>

#include "belfry/data.h"

using namespace belfry;

namespace {

AnyDataFlow digits(const std::string& name, const std::string& folder) {
  if (folder != "fake") return SVHNDigit(name, folder, {.shuffle = name != "test"});
  return FakeData({{.shape = {32, 32, 3}, .dtype = kUInt8, .high = 255}, {.dtype = kInt64, .high = 10}},
                  {.size = 640});
}

AnyDataFlow get_data(bool train, const std::string& folder, int64_t batch) {
  using namespace imgaug;
  AnyDataFlow data = digits("test", folder);
  std::vector<AnyAugmentor> augmentors = {Resize({40, 40})};
  if (train) {
    data = RandomMixData({digits("train", folder), digits("extra", folder)});
    augmentors = {Resize({40, 40}), Brightness(30), Contrast({0.5, 1.5})};
  }
  auto to_float = [](const at::Tensor& image) { return image.to(at::kFloat); };
  data = MultiThreadMapData(data, 5, augment_image_component(AugmentorList(augmentors)));
  return BatchData(MapDataComponent(data, to_float), batch, {.remainder = !train});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, log_dir, dorefa = "1,2,4";
  int64_t batch = 128, epochs = 200;
  CLI::App app("Trains a digit classifier of low bit width.");
  app.add_option("--data", folder, "folder of SVHN's files, or \"fake\"")->required();
  app.add_option("--dorefa", dorefa, "bits of W,A,G")->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir, "default: by the options, in train_log");
  CLI11_PARSE(app, argc, argv);
  if (log_dir.empty()) log_dir = fmt::format("train_log/svhn-dorefa-{}", dorefa);

  const TrainingEnd end = launch_train_with_config(
      {
          .model = SvhnDoReFa(DoReFaBits::parse(dorefa)),
          .dataflow = get_data(true, folder, batch),
          .max_epoch = epochs,
          .callbacks = callbacks(ModelSaver(),
                                 InferenceRunner(get_data(false, folder, batch),
                                                 {ScalarStats("cost"), ClassificationError("wrong_tensor")})),
          .log_dir = log_dir,
      },
      SimpleTrainer());
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
