#pragma once

#include <string>
#include <vector>

namespace belfry {

/// A file as the authors of a data set published it.
struct PublishedFile {
  std::string name = {};
  std::string md5 = {};  ///< in hexadecimal
};

/// Compares files in `folder` with those that were published, which reads them whole. Throws DataError that
/// names every file that is missing or is another.
void verify_files(const std::string& folder, const std::vector<PublishedFile>& files);

}  // namespace belfry
