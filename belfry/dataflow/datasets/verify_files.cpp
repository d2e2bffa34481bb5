#include "belfry/dataflow/datasets/verify_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <md5.h>

#include <array>
#include <filesystem>

#include "belfry/base/error.h"

namespace belfry {

void verify_files(const std::string& folder, const std::vector<PublishedFile>& files) {
  std::vector<std::string> problems;
  for (const PublishedFile& file : files) {
    const std::string path = (std::filesystem::path(folder) / file.name).string();
    std::array<char, MD5_DIGEST_STRING_LENGTH> sum{};
    if (!MD5File(path.c_str(), sum.data())) {
      problems.push_back(file.name + " cannot be read");
    } else if (sum.data() != file.md5) {
      problems.push_back(fmt::format("{} has {}", file.name, sum.data()));
    }
  }
  if (problems.empty()) return;
  std::vector<std::string> expected;
  for (const PublishedFile& file : files) expected.push_back(fmt::format("{} {}", file.md5, file.name));
  throw DataError(folder, fmt::format("expected the published files, by their MD5 sums {}; got: {}",
                                      fmt::join(expected, ", "), fmt::join(problems, "; ")));
}

}  // namespace belfry
