#include "belfry/dataflow/datasets/ilsvrc.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"
#include "belfry/dataflow/internal/hidden_files.h"
#include "belfry/dataflow/internal/text_lines.h"
#include "belfry/formats/caffe.h"

// ImageNet as its archives unpack, and Tiny ImageNet. Labels come from lists, Caffe's auxiliary data
// (caffe_ilsvrc12.tar.gz) as in tensorpack's dataset/ilsvrc.py or TinyImageNet's wnids.txt, never from the
// order of folders. Of a long list the first images are looked for at once, so that a wrong folder is an
// error before training.
namespace belfry {
namespace {

constexpr size_t kClasses = 1000, kTinyClasses = 200, kFilesToCheck = 10;
constexpr int64_t kMeanSide = 256;
constexpr uint64_t kMaxMeanSize = 16 << 20;
constexpr const char* kMetaSource = "a file of caffe_ilsvrc12.tar.gz, Caffe's auxiliary data for ImageNet";

void check_name(std::string_view who, const std::string& name,
                std::initializer_list<std::string_view> known) {
  if (std::ranges::find(known, name) != known.end()) return;
  throw UsageError(fmt::format("[{}] expected one of {}, got '{}'", who, fmt::join(known, ", "), name));
}

LabelledFile labelled(const std::string& line, const std::string& where) {
  const size_t space = line.find_last_of(" \t");
  LabelledFile file;
  if (space != std::string::npos) {
    const auto [end, error] = std::from_chars(line.data() + space + 1, line.data() + line.size(), file.label);
    file.path = line.substr(0, line.find_last_not_of(" \t", space) + 1);
    if (error == std::errc() && end == line.data() + line.size() && !file.path.empty() && file.label >= 0)
      return file;
  }
  throw DataError(where, fmt::format("expected lines of a file name and a label, got '{}'", line));
}

std::vector<LabelledFile> listed_files(const std::string& dir, const std::string& name,
                                       const ILSVRC12Options& options) {
  check_name("ILSVRC12", name, {"train", "val", "test"});
  const std::string folder = dir + "/" + name;
  const DirStructure structure = name == "train"         ? DirStructure::kTrain
                                 : options.dir_structure ? *options.dir_structure
                                                         : ILSVRCMeta::guess_dir_structure(folder);
  const ILSVRCMeta meta(options.meta_dir.value_or(dir + "/ilsvrc_metadata"));
  std::vector<LabelledFile> files = meta.get_image_list(name, structure);
  for (LabelledFile& file : files) file.path = folder + "/" + file.path;
  for (size_t i = 0; i < std::min(files.size(), kFilesToCheck); ++i) {
    if (!std::filesystem::is_regular_file(files[i].path)) {
      throw DataError(files[i].path,
                      fmt::format("expected this image of the list of {}, found none: the archives of "
                                  "ILSVRC2012 are to be unpacked there, each class in its folder",
                                  name));
    }
  }
  return files;
}

LabelledFilesOptions options_of(const std::string& name, std::optional<bool> shuffle, uint64_t seed,
                                bool paths_only) {
  return {.shuffle = shuffle.value_or(name == "train"), .paths_only = paths_only, .seed = seed};
}

std::vector<LabelledFile> tiny_files(const std::string& dir, const std::string& name) {
  check_name("TinyImageNet", name, {"train", "val"});
  const std::string source = "a file of tiny-imagenet-200.zip, of the Stanford course CS231n";
  const std::vector<std::string> classes = internal::text_lines(dir + "/wnids.txt", source);
  if (classes.size() != kTinyClasses)
    throw DataError(dir + "/wnids.txt",
                    fmt::format("expected {} classes, got {}", kTinyClasses, classes.size()));
  std::vector<LabelledFile> files;
  if (name == "train") {
    for (size_t label = 0; label < classes.size(); ++label) {
      const std::string folder = dir + "/train/" + classes[label] + "/images";
      for (const std::string& file : FileSystem::posix().list(folder)) {
        if (internal::is_hidden(file)) continue;
        files.push_back({folder + "/" + file, static_cast<int64_t>(label)});
      }
    }
    return files;
  }
  std::map<std::string, int64_t> labels;
  for (const std::string& name : classes) labels.emplace(name, static_cast<int64_t>(labels.size()));
  const std::string annotations = dir + "/val/val_annotations.txt";
  for (const std::string& line : internal::text_lines(annotations, source)) {
    const std::vector<std::string> words = internal::split(line, '\t');
    const auto label = words.size() < 2 ? labels.end() : labels.find(words[1]);
    if (label == labels.end())
      throw DataError(annotations,
                      fmt::format("expected a file name and a class of wnids.txt, got '{}'", line));
    files.push_back({dir + "/val/images/" + words[0], label->second});
  }
  return files;
}

/// What is between the first <tag> and </tag> in `xml`; nothing where these are not.
std::optional<std::string_view> element(std::string_view xml, const std::string& tag) {
  const std::string open = "<" + tag + ">", close = "</" + tag + ">";
  const size_t begin = xml.find(open);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t content = begin + open.size(), end = xml.find(close, content);
  if (end == std::string_view::npos) return std::nullopt;
  return xml.substr(content, end - content);
}

std::optional<std::array<float, 4>> box_in(std::string_view xml) {
  const auto object = element(xml, "object");
  const auto box = object ? element(*object, "bndbox") : std::nullopt;
  if (!box) return std::nullopt;
  std::array<float, 4> sides{};
  const char* const tags[] = {"xmin", "ymin", "xmax", "ymax"};
  for (size_t i = 0; i < sides.size(); ++i) {
    const std::optional<std::string_view> text = element(*box, tags[i]);
    if (!text) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), sides[i]);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  }
  return sides;
}

}  // namespace

std::vector<std::optional<std::array<float, 4>>> ILSVRC12::get_training_bbox(
    const std::string& bbox_dir, const std::vector<LabelledFile>& images) {
  constexpr uint64_t kMaxAnnotation = 1 << 20;
  std::vector<std::optional<std::array<float, 4>>> boxes;
  int64_t found = 0;
  for (const LabelledFile& image : images) {
    const std::string path =
        bbox_dir + "/" + std::filesystem::path(image.path).replace_extension(".xml").string();
    std::error_code ignored;
    boxes.emplace_back();
    if (!std::filesystem::is_regular_file(path, ignored)) continue;
    boxes.back() = box_in(read_file(FileSystem::posix(), path, kMaxAnnotation));
    if (boxes.back()) ++found;
  }
  log_info("[ILSVRC12] {} of {} images have a bounding box", found, boxes.size());
  return boxes;
}

at::Tensor ILSVRCMeta::get_per_pixel_mean(int64_t height, int64_t width) const {
  if (height <= 0 || width <= 0)
    throw UsageError(fmt::format("[ILSVRCMeta] expected sides > 0, got {} x {}", height, width));
  const at::Tensor planes = get_per_pixel_mean().permute({2, 0, 1}).unsqueeze(0);
  const at::Tensor resized = at::upsample_bilinear2d(planes, {height, width}, /*align_corners=*/false);
  return resized.squeeze(0).permute({1, 2, 0}).contiguous();
}

std::vector<std::string> ILSVRCMeta::lines_of(const std::string& name) const {
  return internal::text_lines(folder_ + "/" + name, kMetaSource);
}

std::vector<std::string> ILSVRCMeta::get_synset_words_1000() const {
  std::vector<std::string> words = lines_of("synset_words.txt");
  if (words.size() != kClasses)
    throw DataError(folder_ + "/synset_words.txt",
                    fmt::format("expected {} lines, got {}", kClasses, words.size()));
  return words;
}

std::vector<std::string> ILSVRCMeta::get_synset_1000() const {
  std::vector<std::string> synsets = lines_of("synsets.txt");
  if (synsets.size() != kClasses)
    throw DataError(folder_ + "/synsets.txt",
                    fmt::format("expected {} lines, got {}", kClasses, synsets.size()));
  return synsets;
}

std::vector<LabelledFile> ILSVRCMeta::get_image_list(const std::string& name, DirStructure structure) const {
  check_name("ILSVRCMeta", name, {"train", "val", "test"});
  std::vector<std::string> synsets;
  if (name != "train" && structure == DirStructure::kTrain) synsets = get_synset_1000();
  const std::string path = folder_ + "/" + name + ".txt";
  std::vector<LabelledFile> files;
  for (const std::string& line : lines_of(name + ".txt")) {
    LabelledFile file = labelled(line, path);
    if (file.label >= static_cast<int64_t>(kClasses))
      throw DataError(path, fmt::format("expected labels below {}, got {}", kClasses, file.label));
    if (!synsets.empty()) file.path = synsets[static_cast<size_t>(file.label)] + "/" + file.path;
    files.push_back(std::move(file));
  }
  if (files.empty()) throw DataError(path, "expected a list of images, got an empty file");
  return files;
}

at::Tensor ILSVRCMeta::get_per_pixel_mean() const {
  const std::string path = folder_ + "/imagenet_mean.binaryproto";
  if (!FileSystem::posix().exists(path))
    throw DataError(path, fmt::format("expected {}, found none", kMetaSource));
  const std::vector<float> values =
      parse_caffe_blob(path, read_file(FileSystem::posix(), path, kMaxMeanSize));
  const int64_t expected = 3 * kMeanSide * kMeanSide;
  if (static_cast<int64_t>(values.size()) != expected)
    throw DataError(path, fmt::format("expected {} values, got {}", expected, values.size()));
  at::Tensor planes = at::empty({3, kMeanSide, kMeanSide}, at::kFloat);  // blue, green, red
  std::ranges::copy(values, planes.mutable_data_ptr<float>());
  return planes.flip(0).permute({1, 2, 0}).contiguous();
}

DirStructure ILSVRCMeta::guess_dir_structure(const std::string& folder) {
  for (const std::string& name : FileSystem::posix().list(folder)) {
    if (name.starts_with('n') && std::filesystem::is_directory(folder + "/" + name))
      return DirStructure::kTrain;
  }
  return DirStructure::kOriginal;
}

ILSVRC12::ILSVRC12(const std::string& dir, const std::string& name, const ILSVRC12Options& options)
    : LabelledFiles(listed_files(dir, name, options),
                    options_of(name, options.shuffle, options.seed, false)) {}

ILSVRC12Files::ILSVRC12Files(const std::string& dir, const std::string& name, const ILSVRC12Options& options)
    : LabelledFiles(listed_files(dir, name, options), options_of(name, options.shuffle, options.seed, true)) {
}

TinyImageNet::TinyImageNet(const std::string& dir, const std::string& name, TinyImageNetOptions options)
    : LabelledFiles(tiny_files(dir, name), options_of(name, options.shuffle, options.seed, false)) {}

}  // namespace belfry
