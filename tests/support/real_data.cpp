#include "tests/support/real_data.h"

#include <cstdlib>
#include <filesystem>

namespace belfry::test {
namespace {

std::string if_it_exists(const std::string& folder) {
  return std::filesystem::exists(folder) ? folder : "";
}

}  // namespace

std::string mnist_folder() {
  const char* data = std::getenv("BELFRY_SHARED_DATA");
  return if_it_exists((data ? std::string(data) : "../shared/data") + "/mnist-10k");
}

std::string digits_folder() {
  return if_it_exists(".data/digits");
}

}  // namespace belfry::test
