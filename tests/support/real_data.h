#pragma once

#include <string>

namespace belfry::test {

/// The folder of MNIST's 10,000 test images, or "".
std::string mnist_folder();
inline constexpr const char* kNoMnist = "no mnist-10k in ../shared/data or $BELFRY_SHARED_DATA";

/// The folder of scikit-learn's digits, or "".
std::string digits_folder();
inline constexpr const char* kNoDigits = "no .data/digits; scripts/setup --digits makes it";

}  // namespace belfry::test
