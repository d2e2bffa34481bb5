#pragma once

#include <string>
#include <vector>

namespace belfry::test {

/// `words` as one command line for sh, each word as it is.
std::string shell_command(const std::vector<std::string>& words);

}  // namespace belfry::test
