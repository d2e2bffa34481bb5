#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace belfry {

/// The folder `name` below the folder for data sets, which is the environment's $BELFRY_DATASET, else
/// $TENSORPACK_DATASET, else "tensorpack_data" in the home folder, which is made if it is missing and then
/// named in the log, once. The folder `name` itself need not be there. Throws UsageError when the variable
/// names no folder, and when there is no home either.
std::string get_dataset_path(const std::string& name = "");

struct DownloadOptions {
  /// The file's name. Default: what follows the last slash of the address.
  std::string filename = {};
  /// In bytes; and its MD5, in hexadecimal. Where they are given, a file of another size or sum is an error,
  /// and one that is there already is left alone only if it has them.
  std::optional<uint64_t> expect_size = {};
  std::string md5 = {};
};

/// Gets a file over http, https, ftp or from file://, with the program `curl`, into `folder`, which is made
/// if missing. Returns its path. It appears under its name complete and checked, or not at all. Without
/// expect_size and md5 it is always fetched anew.
///
/// Throws UsageError for an address of another form, DataError when it cannot be had or is not what was
/// expected, ResourceError where there is no curl. Safe to call from any thread.
std::string download(const std::string& url, const std::string& folder, const DownloadOptions& options = {});

}  // namespace belfry
