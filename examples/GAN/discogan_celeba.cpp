// "Learning to Discover Cross-Domain Relations with Generative Adversarial Networks" on CelebA, after
// tensorpack's examples/GAN/DiscoGAN-CelebA.py.
//
//   example_discogan_celeba --data img_align_celeba --style-A Male     DIR also holds list_attr_celeba.txt
//
// tensorpack trains 250 epochs of 300 steps of 64 images of each style, and reports no number. Images of
// training are in TensorBoard. Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends with exit status 0; an error is
// exit status 1.

#include "examples/GAN/discogan_celeba.h"

#include <fstream>
#include <sstream>

#include "examples/GAN/dcgan_main.h"

using namespace gan;

namespace {

/// The files of faces with style A, and of those with style B; "": without A.
std::pair<std::vector<std::string>, std::vector<std::string>> read_styles(const std::string& folder,
                                                                          const std::string& style_a,
                                                                          const std::string& style_b) {
  const std::string path = folder + "/list_attr_celeba.txt";
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || !std::getline(file, line))
    throw DataError(fmt::format("[read_styles] expected the attributes in '{}'", path));
  std::istringstream header(line);
  const std::vector<std::string> names{std::istream_iterator<std::string>(header), {}};
  auto column = [&](const std::string& style) {
    const auto found = std::find(names.begin(), names.end(), style);
    if (found == names.end())
      throw UsageError(fmt::format("[read_styles] expected a style of '{}', got '{}'", path, style));
    return static_cast<size_t>(found - names.begin());
  };
  const size_t a = column(style_a), b = style_b.empty() ? a : column(style_b);
  const int wanted_b = style_b.empty() ? -1 : 1;

  std::pair<std::vector<std::string>, std::vector<std::string>> lists;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream record(line);
    std::string name;
    record >> name;
    const std::vector<int> values{std::istream_iterator<int>(record), {}};
    if (values.size() != names.size())
      throw DataError(fmt::format("[read_styles] expected {} attributes of image {} in '{}'", names.size(),
                                  number, path));
    const std::string image = fmt::format("{}/{:06d}.jpg", folder, number);
    if (values[a] == 1) lists.first.push_back(image);
    if (values[b] == wanted_b) lists.second.push_back(image);
  }
  return lists;
}

AnyDataFlow get_celebA_data(const dcgan::Arguments& args, const std::string& style_a,
                            const std::string& style_b) {
  if (args.data == "fake") return fake_pixels(args.batch, 64, 2);
  const auto [list_a, list_b] = read_styles(args.data, style_a, style_b);
  const JoinData faces({ImageFromFile(list_a, {.channel = 3, .shuffle = true, .seed = 1}),
                        ImageFromFile(list_b, {.channel = 3, .shuffle = true, .seed = 2})});
  const imgaug::AugmentorList augs({imgaug::CenterCrop(160), imgaug::Resize(64)});
  const MapFunction augment = augment_image_components(augs, {0, 1});
  return BatchData(MultiThreadMapData(faces, 3, augment), args.batch);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string style_a = "Male", style_b;
  const dcgan::Arguments args = dcgan::get_args(
      argc, argv, {.log_dir = "train_log/discogan_celeba", .batch = 64, .epochs = 250, .steps = 300},
      [&](CLI::App& app) {
        app.add_option("--style-A", style_a, "style of A")->capture_default_str();
        app.add_option("--style-B", style_b, "style of B; default: not A");
      });
  discogan_celeba::Model model;
  // One update of the discriminators after two of the generators.
  SeparateGANTrainer trainer(QueueInput(get_celebA_data(args, style_a, style_b)), model, {.d_period = 3});
  return dcgan::train(trainer, args, callbacks(ModelSaver()));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
