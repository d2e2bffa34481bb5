#include "belfry/dataflow/datasets/places.h"

#include <fmt/format.h>

#include <map>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/text_lines.h"

namespace belfry {

Places365Standard::Listing Places365Standard::read(const std::string& dir, const std::string& name) {
  if (name != "train" && name != "val")
    throw UsageError(fmt::format("[Places365Standard] expected one of train, val, got '{}'", name));
  const std::string list = dir + "/" + name + ".txt";
  std::map<std::string, int64_t> labels;
  std::vector<std::pair<std::string, std::string>> images;  // path, class
  for (const std::string& line : internal::text_lines(list, "a file of places365standard_easyformat.tar")) {
    const std::vector<std::string> parts = internal::split(line, '/');
    if (parts.size() < 3)
      throw DataError(list, fmt::format("expected lines of part/class/file, got '{}'", line));
    labels[parts[1]] = 0;
    images.emplace_back(dir + "/" + line, parts[1]);
  }
  Listing listing;
  for (auto& [label_name, label] : labels) {
    label = static_cast<int64_t>(listing.label_names.size());
    listing.label_names.push_back(label_name);
  }
  for (const auto& [path, label_name] : images) listing.files.push_back({path, labels[label_name]});
  return listing;
}

Places365Standard::Places365Standard(Listing listing, LabelledFilesOptions options)
    : LabelledFiles(std::move(listing.files), options), label_names_(std::move(listing.label_names)) {}

Places365Standard::Places365Standard(const std::string& dir, const std::string& name,
                                     Places365StandardOptions options)
    : Places365Standard(read(dir, name),
                        {.shuffle = options.shuffle.value_or(name == "train"), .seed = options.seed}) {}

}  // namespace belfry
