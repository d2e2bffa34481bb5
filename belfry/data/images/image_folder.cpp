#include "belfry/data/images/image_folder.h"

#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <numeric>

#include "belfry/base/error.h"
#include "belfry/dataflow/file_bytes.h"
#include "belfry/dataflow/internal/hidden_files.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

std::vector<std::string> images_below(const fs::path& folder) {
  std::vector<std::string> paths;
  for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator();
       ++entry) {
    if (internal::is_hidden(entry->path().filename().string())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && is_image(entry->path())) {
      paths.push_back(entry->path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

struct ImageFolder::Pass {
  std::optional<Datapoint> next() {
    if (position == order.size()) return std::nullopt;
    const File& file = (*files)[order[position++]];
    return Datapoint{read_file_bytes(file.path), at::scalar_tensor(file.label, at::kLong)};
  }

  int64_t skip(int64_t count) {
    const int64_t skipped = std::min(count, static_cast<int64_t>(order.size() - position));
    position += static_cast<size_t>(skipped);
    return skipped;
  }

  std::shared_ptr<const std::vector<File>> files;
  std::vector<size_t> order;
  size_t position = 0;
};

ImageFolder::ImageFolder(const std::string& folder, ImageFolderOptions options) : options_(options) {
  std::vector<File> files;
  try {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && !internal::is_hidden(entry.path().filename().string()))
        folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    for (const fs::path& of_class : folders) {
      const std::vector<std::string> paths = images_below(of_class);
      if (paths.empty() && !options.allow_empty_classes)
        throw DataError(of_class.string(), "expected images of this class, found none");
      const auto label = static_cast<int64_t>(classes_.size());
      classes_.push_back(of_class.filename().string());
      for (const std::string& path : paths) files.push_back({path, label});
    }
  } catch (const fs::filesystem_error& error) {
    throw DataError(folder, error.code().message());
  }
  if (files.empty()) throw DataError(folder, "expected images in a folder for each class, found none");
  files_ = std::make_shared<const std::vector<File>>(std::move(files));
}

DataIterator ImageFolder::start_pass(int64_t pass) {
  std::vector<size_t> order(files_->size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (options_.shuffle) Rng(options_.seed, static_cast<uint64_t>(pass)).shuffle(order);
  return DataIterator(Pass{files_, std::move(order)});
}

}  // namespace belfry
